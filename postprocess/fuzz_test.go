package postprocess

import (
	"encoding/json"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// FuzzRun feeds every task any datatype, shape and bytes. Whatever comes, the answer is JSON or the model's fault.
func FuzzRun(f *testing.F) {
	f.Add(byte(0), byte(tensor.FP32), int64(1), int64(5), int64(9), byte(3), byte(0), make([]byte, 180))
	f.Add(byte(1), byte(tensor.FP32), int64(1), int64(9), int64(6), byte(3), byte(2), make([]byte, 216))
	f.Add(byte(2), byte(tensor.FP16), int64(1), int64(2), int64(6), byte(3), byte(2), []byte("0123456789abcdefghijklmn"))
	f.Add(byte(3), byte(tensor.FP64), int64(1), int64(2), int64(4), byte(3), byte(0), make([]byte, 64))
	f.Add(byte(4), byte(tensor.FP32), int64(1), int64(2), int64(0), byte(2), byte(2), []byte{0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f})
	f.Add(byte(6), byte(tensor.BF16), int64(-1), int64(1)<<62, int64(4), byte(3), byte(0), []byte{1, 2})
	f.Add(byte(9), byte(tensor.Bytes), int64(2), int64(1), int64(1), byte(1), byte(0), []byte{1, 0, 0, 0, 'x', 0, 0, 0, 0})
	f.Add(byte(10), byte(tensor.FP32), int64(2), int64(1), int64(3), byte(3), byte(0), make([]byte, 24))
	f.Fuzz(func(t *testing.T, which, dtype byte, a, b, c int64, rank, labels byte, data []byte) {
		spec := &task.Spec{Task: task.ImageClassification, Output: task.Output{Name: "y", TopK: 3, Activation: []string{"softmax", "sigmoid", "none"}[which%3]}}
		heads := []string{"yolov8", "yolov5", "end2end", "rtdetr"}
		switch which %= 12; {
		case int(which) < len(heads):
			spec = &task.Spec{Task: task.ObjectDetection, Output: task.Output{Name: "y", Head: heads[which], MaxDetections: 9, Boxes: "boxes"}}
		case which == 6:
			spec.Task = task.TabularRegression
		case which == 7 || which == 8:
			spec.Task, spec.Output.Pool, spec.Output.Normalize = task.ImageFeatureExtraction, []string{"mean", "cls"}[which-7], true
		case which == 9:
			spec = specRaw()
		case which == 10:
			spec.Task = task.ImageSegmentation
		}
		p, err := New(spec, make([]string, labels%100))
		if err != nil {
			t.Fatal(err)
		}
		y := tensor.Tensor{Name: "y", DType: tensor.DType(dtype), Shape: []int64{a, b, c}[:rank%4], Data: data}
		boxes := tensor.Tensor{Name: "boxes", DType: tensor.FP32, Shape: []int64{1, b, 4}, Data: make([]byte, max(0, min(b, 99))*16)}
		r, err := p.Run([]tensor.Tensor{y, boxes}, plainFrame(64, 64), Options{})
		if err != nil {
			if fault.KindOf(err) != fault.Contract {
				t.Fatal(err)
			}
			return
		}
		if text := "{" + string(r.AppendJSON(nil)) + "}"; !json.Valid([]byte(text)) {
			t.Fatalf("not JSON: %s", text)
		}
	})
}
