package postprocess

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

// scene makes the output of a YOLOv8 with 80 classes on 640 x 640: objects boxes of which each has some near copies, in a
// background of low scores.
func scene(objects, copies int) ([]tensor.Tensor, tensor.Frame) {
	const boxes, classes = 8400, 80
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]float32, (4+classes)*boxes)
	for i := range data[:4*boxes] {
		data[i] = r.Float32() * 640
	}
	for i := range data[4*boxes:] {
		data[4*boxes+i] = r.Float32() * r.Float32() * 0.01
	}
	for range objects {
		class, x, y, w, h := r.IntN(classes), r.Float32()*600, r.Float32()*600, 20+r.Float32()*100, 20+r.Float32()*100
		for range copies {
			n := r.IntN(boxes)
			for a, v := range []float32{x + r.Float32()*4, y + r.Float32()*4, w, h} {
				data[a*boxes+n] = v
			}
			data[(4+class)*boxes+n] = 0.3 + 0.6*r.Float32()
		}
	}
	return []tensor.Tensor{fp32("output0", []int64{1, 4 + classes, boxes}, data)}, tensor.Frame{SourceWidth: 1920, SourceHeight: 1080,
		Width: 640, Height: 640, ScaleX: 1.0 / 3, ScaleY: 1.0 / 3, OffsetY: 140}
}

func detector(tb interface{ Fatal(...any) }, head string, labels []string) *Postprocessor {
	confidence, iou := 0.25, 0.45
	o := task.Output{Name: "output0", Head: head, Confidence: &confidence, MaxDetections: 300}
	switch head {
	case "yolov8", "yolov5":
		o.IoU = &iou
	case "rtdetr":
		o.Boxes, o.Activation = "pred_boxes", "sigmoid"
	}
	p, err := New(&task.Spec{Task: task.ObjectDetection, Output: o}, labels)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func BenchmarkYOLOv8(b *testing.B) {
	outputs, frame := scene(30, 10)
	p := detector(b, "yolov8", nil)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := p.Run(outputs, frame, Options{}); err != nil || len(r.Detections) == 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	data := make([]float32, 1000)
	for i := range data {
		data[i] = rand.Float32() * 10
	}
	p, err := New(&task.Spec{Task: task.ImageClassification, Output: task.Output{Activation: "softmax", TopK: 5}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	outputs := []tensor.Tensor{fp32("logits", []int64{1, 1000}, data)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(outputs, tensor.Frame{}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	outputs, frame := scene(30, 10)
	r, err := detector(b, "yolov8", nil).Run(outputs, frame, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			buffer = r.AppendJSON(buffer[:0])
		}
	})
	type box struct{ X1, Y1, X2, Y2 float32 }
	type detection struct {
		Label string  `json:"label"`
		Index int     `json:"index"`
		Score float32 `json:"score"`
		Box   box     `json:"box"`
	}
	same := make([]detection, len(r.Detections))
	for i, d := range r.Detections {
		same[i] = detection{d.Label, d.Index, float32(d.Score), box{float32(d.Box.X1), float32(d.Box.Y1), float32(d.Box.X2), float32(d.Box.Y2)}}
	}
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(same); err != nil {
				b.Fatal(err)
			}
		}
	})
}
