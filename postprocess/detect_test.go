package postprocess

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// drawV8 draws the output of a yolov8 head on a grid coarse enough that equal scores and equal overlaps are common, with NaN
// and Inf strewn in.
func drawV8(t *rapid.T, classes, boxes int) [][]float32 {
	odd := []float32{nan32(), inf32(1), inf32(-1), 0, float32(math.Copysign(0, -1)), -1}
	coordinate := rapid.Custom(func(t *rapid.T) float32 { return float32(rapid.IntRange(0, 16).Draw(t, "c")) * 4 })
	score := rapid.Custom(func(t *rapid.T) float32 { return float32(rapid.IntRange(0, 10).Draw(t, "s")) / 10 })
	spoil := rapid.IntRange(0, 19)
	values := make([][]float32, 4+classes)
	for a := range values {
		values[a] = make([]float32, boxes)
		for n := range values[a] {
			switch {
			case spoil.Draw(t, "spoil") == 0:
				values[a][n] = rapid.SampledFrom(odd).Draw(t, "odd")
			case a < 4:
				values[a][n] = coordinate.Draw(t, "v")
			default:
				values[a][n] = score.Draw(t, "v")
			}
		}
	}
	return values
}

func flat(values [][]float32, transposed bool) []float32 {
	var out []float32
	if !transposed {
		for _, row := range values {
			out = append(out, row...)
		}
		return out
	}
	for n := range values[0] {
		for a := range values {
			out = append(out, values[a][n])
		}
	}
	return out
}

func drawFrame(t *rapid.T) tensor.Frame {
	return tensor.Frame{SourceWidth: rapid.IntRange(1, 100).Draw(t, "w"), SourceHeight: rapid.IntRange(1, 100).Draw(t, "h"), Width: 64, Height: 64,
		ScaleX: rapid.Float64Range(0.1, 4).Draw(t, "sx"), ScaleY: rapid.Float64Range(0.1, 4).Draw(t, "sy"),
		OffsetX: rapid.Float64Range(-20, 20).Draw(t, "ox"), OffsetY: rapid.Float64Range(-20, 20).Draw(t, "oy")}
}

// sameDetections compares all but the labels; the coordinates within what two orders of computation differ by.
func sameDetections(t *rapid.T, got, want []Detection) {
	if len(got) != len(want) {
		t.Fatalf("got %d detections, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
	for i := range got {
		g, w := got[i], want[i]
		d := max(math.Abs(g.Box.X1-w.Box.X1), math.Abs(g.Box.Y1-w.Box.Y1), math.Abs(g.Box.X2-w.Box.X2), math.Abs(g.Box.Y2-w.Box.Y2))
		if g.Index != w.Index || g.Score != w.Score || !(d < 1e-9) {
			t.Fatalf("%d: got %v, want %v", i, g, w)
		}
	}
}

func TestYOLOv8EqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, boxes := rapid.IntRange(1, 4).Draw(t, "classes"), rapid.IntRange(9, 40).Draw(t, "boxes")
		values, frame := drawV8(t, classes, boxes), drawFrame(t)
		transposed := rapid.Bool().Draw(t, "transposed")
		p := detector(t, "yolov8", nil)
		shape := []int64{1, int64(4 + classes), int64(boxes)}
		if transposed {
			shape = []int64{int64(boxes), int64(4 + classes)} // without the batch dimension, too
			p.spec.Output.Transposed = true
		}
		o := Options{Confidence: ptr(rapid.SampledFrom([]float64{0, 0.25, 0.3, 0.7, 1}).Draw(t, "confidence")),
			IoU: ptr(rapid.SampledFrom([]float64{0, 0.25, 0.45, 0.5, 1}).Draw(t, "iou")), MaxDetections: ptr(rapid.IntRange(1, 30).Draw(t, "max"))}
		wanted := func(int) bool { return true }
		if rapid.Bool().Draw(t, "filter") {
			o.Classes, wanted = []string{"1", "3"}, func(c int) bool { return c == 1 || c == 3 }
		}
		r, err := p.Run([]tensor.Tensor{fp32("output0", shape, flat(values, transposed))}, frame, o)
		if err != nil {
			t.Fatal(err)
		}
		list := oracleProper(oracleV8(values, float32(*o.Confidence), wanted))
		sameDetections(t, r.Detections, oracleDetections(oracleNMS(list, *o.IoU, *o.MaxDetections), frame))
	})
}

func TestYOLOv5EqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, boxes := rapid.IntRange(1, 4).Draw(t, "classes"), rapid.IntRange(10, 40).Draw(t, "boxes")
		values := drawV8(t, classes+1, boxes) // row 4 is objectness
		frame := drawFrame(t)
		joint := append([][]float32{}, values[:4]...)
		for c := range classes {
			row := make([]float32, boxes)
			for n := range row {
				row[n] = values[5+c][n] * values[4][n]
				if !(values[4][n] > 0.25) || math.IsInf(float64(values[4][n]), 0) {
					row[n] = nan32()
				}
			}
			joint = append(joint, row)
		}
		r, err := detector(t, "yolov5", nil).Run([]tensor.Tensor{fp32("output0", []int64{1, int64(boxes), int64(5 + classes)}, flat(values, true))}, frame, Options{})
		if err != nil {
			t.Fatal(err)
		}
		list := oracleProper(oracleV8(joint, 0.25, func(int) bool { return true }))
		sameDetections(t, r.Detections, oracleDetections(oracleNMS(list, 0.45, 300), frame))
	})
}

func TestSuppressionRules(t *testing.T) {
	// Two boxes of 10 x 10, the second moved by 5: intersection 50, union 150, IoU exactly 1/3.
	values := func(class2, score2 float32) []float32 {
		return flat([][]float32{{5, 10, 0, 0, 0, 0}, {5, 5, 0, 0, 0, 0}, {10, 10, 0, 0, 0, 0}, {10, 10, 0, 0, 0, 0},
			{0.9, score2 * (1 - class2), 0, 0, 0, 0}, {0, score2 * class2, 0, 0, 0, 0}}, false)
	}
	for _, c := range []struct {
		name          string
		class2, score float32
		iou           float64
		want          []int
	}{
		{"above the threshold", 0, 0.8, 0.33, []int{0}},
		{"exactly the threshold stays", 0, 0.8, 50.0 / 150, []int{0, 0}},
		{"another class stays", 1, 0.8, 0.1, []int{0, 1}},
		{"equal scores: the first stays", 0, 0.9, 0.33, []int{0}},
	} {
		r, err := detector(t, "yolov8", nil).Run([]tensor.Tensor{fp32("output0", []int64{1, 6, 6}, values(c.class2, c.score))}, plainFrame(100, 100), Options{IoU: &c.iou})
		if err != nil {
			t.Fatal(err)
		}
		got := []int{}
		for _, d := range r.Detections {
			got = append(got, d.Index)
		}
		if !reflect.DeepEqual(got, c.want) || r.Detections[0].Box != (Box{0, 0, 10, 10}) {
			t.Errorf("%s: %v", c.name, r.Detections)
		}
	}
}

func TestIoUEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		corner := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 12).Draw(t, "c")) / 4 })
		draw := func(name string) (candidate, oracleBox) {
			x, y, w, h := corner.Draw(t, name), corner.Draw(t, name), corner.Draw(t, name), corner.Draw(t, name)
			return candidate{x1: x, y1: y, x2: x + w, y2: y + h}, oracleBox{x1: x, y1: y, x2: x + w, y2: y + h}
		}
		a, oa := draw("a")
		b, ob := draw("b")
		if got, want := iou(&a, &b), oracleIoU(oa, ob); got != want || got != iou(&b, &a) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestConfidenceIsStrictInFloat32(t *testing.T) {
	row := [][]float32{{5, 50, 90}, {5, 5, 5}, {4, 4, 4}, {4, 4, 4}, {0.3, math.Nextafter32(0.3, 1), 0.2}}
	r, err := detector(t, "yolov8", []string{"a"}).Run([]tensor.Tensor{fp32("output0", []int64{5, 3}, flat(row, false))}, plainFrame(100, 100), Options{Confidence: ptr(0.3)})
	if err != nil || len(r.Detections) != 1 || r.Detections[0].Box.X1 != 48 {
		t.Errorf("%v, %v", r.Detections, err)
	}
}

func TestWrongHeadsAreRefused(t *testing.T) {
	eighty := make([]string, 80)
	one := []string{"plate"}
	fill := func(n int, v float32) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	zero := func(name string, shape ...int64) tensor.Tensor {
		n, _ := tensor.Elements(shape)
		return fp32(name, shape, make([]float32, n))
	}
	for _, c := range []struct {
		name, head string
		labels     []string
		outputs    []tensor.Tensor
		want       string
	}{
		{"v8 segmentation", "yolov8", eighty, []tensor.Tensor{zero("output0", 1, 116, 100)}, "A segmentation, pose"},
		{"yolov5 read as v8", "yolov8", eighty, []tensor.Tensor{zero("output0", 1, 100, 85)}, "needs 4+80"},
		{"v8 rows without a word", "yolov8", nil, []tensor.Tensor{zero("output0", 1, 8400, 84)}, "say transposed"},
		{"too few rows", "yolov8", nil, []tensor.Tensor{zero("output0", 1, 4, 84)}, "one score or more"},
		{"batch of 2", "yolov8", nil, []tensor.Tensor{zero("output0", 2, 6, 84)}, "two dimensions"},
		{"classifier", "yolov8", nil, []tensor.Tensor{zero("output0", 1, 1000)}, "head yolov8"},
		{"logits", "yolov8", nil, []tensor.Tensor{fp32("output0", []int64{1, 5, 9}, fill(45, 7.5))}, "score of 7.5"},
		{"v8 read as yolov5", "yolov5", eighty, []tensor.Tensor{zero("output0", 1, 84, 8400)}, "needs 5+80"},
		{"v8 read as yolov5, no labels", "yolov5", nil, []tensor.Tensor{zero("output0", 1, 84, 8400)}, "[boxes, 5+classes]"},
		{"end2end of 38", "end2end", eighty, []tensor.Tensor{zero("output0", 1, 300, 38)}, "[boxes, 6]"},
		{"yolov5 of one class read as end2end", "end2end", one, []tensor.Tensor{fp32("output0", []int64{1, 2, 6}, fill(12, 0.9))}, "names class 0.9"},
		{"class without a label", "end2end", one, []tensor.Tensor{fp32("output0", []int64{1, 1, 6}, []float32{0, 0, 1, 1, 0.5, 1})}, "names class 1"},
		{"detr without boxes", "rtdetr", nil, []tensor.Tensor{zero("output0", 1, 300, 80)}, `the output "pred_boxes"`},
		{"detr of other sizes", "rtdetr", nil, []tensor.Tensor{zero("output0", 1, 300, 80), zero("pred_boxes", 1, 100, 4)}, "don't fit each other"},
		{"detr with a class too many", "rtdetr", eighty, []tensor.Tensor{zero("output0", 1, 300, 81), zero("pred_boxes", 1, 300, 4)}, "has 81 classes"},
		{"detr in pixels", "rtdetr", one, []tensor.Tensor{zero("output0", 1, 1, 1), fp32("pred_boxes", []int64{1, 1, 4}, []float32{300, 200, 40, 50})}, "in pixels"},
	} {
		_, err := detector(t, c.head, c.labels).Run(c.outputs, plainFrame(64, 64), Options{})
		wantContract(t, c.name, err)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestYOLOv8TurnsWhereOnlyThatFitsTheLabels(t *testing.T) {
	values := [][]float32{{5, 0, 0, 0, 0, 0, 0}, {5, 0, 0, 0, 0, 0, 0}, {4, 0, 0, 0, 0, 0, 0}, {4, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0}, {0.5, 0, 0, 0, 0, 0, 0}}
	for _, transposed := range []bool{false, true} {
		shape := []int64{1, 6, 7}
		if transposed {
			shape = []int64{1, 7, 6}
		}
		r, err := detector(t, "yolov8", []string{"a", "b"}).Run([]tensor.Tensor{fp32("output0", shape, flat(values, transposed))}, plainFrame(9, 6), Options{})
		if want := []Detection{{"b", 1, 0.5, Box{3, 3, 7, 6}}}; err != nil || !reflect.DeepEqual(r.Detections, want) {
			t.Errorf("transposed %v: %v, %v", transposed, r.Detections, err)
		}
	}
}

func TestDetectionNeedsAFrame(t *testing.T) {
	_, err := detector(t, "yolov8", nil).Run([]tensor.Tensor{fp32("output0", []int64{1, 5, 9}, make([]float32, 45))}, tensor.Frame{}, Options{})
	if fault.KindOf(err) != fault.Internal || err == nil {
		t.Error(err)
	}
}

func TestNoDetectionsIsAnEmptyList(t *testing.T) {
	r, err := detector(t, "yolov8", nil).Run([]tensor.Tensor{fp32("output0", []int64{1, 5, 9}, make([]float32, 45))}, plainFrame(9, 9), Options{})
	if err != nil || string(r.AppendJSON(nil)) != `"detections":[]` {
		t.Errorf("%s, %v", r.AppendJSON(nil), err)
	}
}

// The eight-at-a-time search finds exactly what the plain one does, at every length.
func TestBestOfColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	odd := []float32{nan32(), -nan32(), inf32(1), inf32(-1), float32(math.Copysign(0, -1)), 0, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}
	for n := range 60 {
		for _, threshold := range []float32{0, 0.25, 1, math.SmallestNonzeroFloat32} {
			const classes = 5
			scores := make([]float32, n*classes)
			for i := range scores {
				if scores[i] = r.Float32() * 1.2; r.IntN(4) == 0 {
					scores[i] = odd[r.IntN(len(odd))]
				}
			}
			best, want, class, wantClass := make([]float32, n), make([]float32, n), make([]int32, n), make([]int32, n)
			for i := range n {
				best[i], want[i], class[i], wantClass[i] = threshold, threshold, -1, -1
				for c := range classes {
					if v := scores[c*n+i]; v > want[i] && !math.IsInf(float64(v), 0) {
						want[i], wantClass[i] = v, int32(c)
					}
				}
			}
			bestOfColumns(best, class, scores, threshold)
			if !reflect.DeepEqual(best, want) || !reflect.DeepEqual(class, wantClass) {
				t.Fatalf("n %d: got %v %v, want %v %v", n, best, class, want, wantClass)
			}
		}
	}
}

// Copies of other datatypes and unaligned bytes are read like aligned FP32.
func TestFloat32s(t *testing.T) {
	want := []float32{1, -2, 0.5}
	in := fp32("x", []int64{3}, want)
	shifted := append(make([]byte, 1, 13), in.Data...)
	moved := in
	moved.Data = shifted[1:]
	for _, x := range []tensor.Tensor{in, moved, fp64("x", []int64{3}, []float64{1, -2, 0.5}), bits16("x", tensor.FP16, []int64{3}, []uint16{0x3c00, 0xc000, 0x3800})} {
		var buffer []float32
		if got := float32s(&x, &buffer); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", x.DType, got)
		}
	}
}

func TestRunIsSafeForConcurrentUse(t *testing.T) {
	outputs, frame := scene(10, 5)
	p := detector(t, "yolov8", nil)
	first, err := p.Run(outputs, frame, Options{})
	if err != nil || len(first.Detections) < 10 {
		t.Fatal(len(first.Detections), err)
	}
	done := make(chan error)
	for range 4 {
		go func() {
			for range 3 {
				r, err := p.Run(outputs, frame, Options{Classes: nil})
				if err == nil && !reflect.DeepEqual(r, first) {
					err = errors.New("another answer")
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
