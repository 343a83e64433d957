package postprocess

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

func segmenter(labels ...string) *Postprocessor {
	p, err := New(&task.Spec{Task: task.ImageSegmentation, Output: task.Output{Name: "y"}}, labels)
	if err != nil {
		panic(err)
	}
	return p
}

// classMap draws the segments: by pixel, row after row, the class or -1. It fails where two segments overlap.
func classMap(t interface{ Fatalf(string, ...any) }, list []Segment, width, height int) []int {
	out := make([]int, width*height)
	for i := range out {
		out[i] = -1
	}
	for _, s := range list {
		at, area := 0, 0
		for i, n := range s.Mask.Counts {
			if n < 0 || n == 0 && i > 0 || s.Mask.Size != [2]int{height, width} {
				t.Fatalf("mask %v", s.Mask)
			}
			for ; n > 0; n-- {
				if pixel := at%height*width + at/height; i%2 == 1 {
					if out[pixel] != -1 {
						t.Fatalf("pixel %d is in two segments", pixel)
					}
					out[pixel] = s.Index
					area++
				}
				at++
			}
		}
		if area != s.Area || area == 0 {
			t.Fatalf("area is %d, want %d", s.Area, area)
		}
	}
	return out
}

// oracleSegment interpolates every class at every pixel.
func oracleSegment(logits []float32, classes, h, w int, f tensor.Frame) []int {
	var out []int
	for y := range f.SourceHeight {
		for x := range f.SourceWidth {
			tx, ty := (float64(x)+0.5)*f.ScaleX+f.OffsetX, (float64(y)+0.5)*f.ScaleY+f.OffsetY
			winner, high := -1, math.Inf(-1)
			for c := 0; c < classes && tx >= 0 && ty >= 0 && tx < float64(f.Width) && ty < float64(f.Height); c++ {
				gx := math.Min(math.Max(tx*float64(w)/float64(f.Width)-0.5, 0), float64(w-1))
				gy := math.Min(math.Max(ty*float64(h)/float64(f.Height)-0.5, 0), float64(h-1))
				x0, y0 := int(gx), int(gy)
				fx, fy := gx-float64(x0), gy-float64(y0)
				sum := func(weight float64, y, x int) float64 {
					if weight == 0 {
						return 0
					}
					return weight * math.Max(math.Min(float64(logits[(c*h+y)*w+x]), math.MaxFloat32), -math.MaxFloat32)
				}
				x1, y1 := min(x0+1, w-1), min(y0+1, h-1)
				v := sum((1-fx)*(1-fy), y0, x0) + sum(fx*(1-fy), y0, x1) + sum((1-fx)*fy, y1, x0) + sum(fx*fy, y1, x1)
				if v > high+1e-9 {
					winner, high = c, v
				}
			}
			out = append(out, winner)
		}
	}
	return out
}

func TestSegmentEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, h, w := rapid.IntRange(2, 6).Draw(t, "classes"), rapid.IntRange(1, 5).Draw(t, "h"), rapid.IntRange(1, 5).Draw(t, "w")
		odd := rapid.SampledFrom([]float32{nan32(), inf32(-1), 0, 0, 1})
		if rapid.Bool().Draw(t, "infinite") {
			odd = rapid.SampledFrom([]float32{inf32(1), inf32(-1), nan32()})
		}
		logit := rapid.OneOf(rapid.Custom(func(t *rapid.T) float32 { return float32(rapid.IntRange(-40, 40).Draw(t, "v")) / 8 }), odd)
		logits := rapid.SliceOfN(logit, classes*h*w, classes*h*w).Draw(t, "logits")
		f := drawFrame(t)
		f.SourceWidth, f.SourceHeight = f.SourceWidth%24+1, f.SourceHeight%24+1
		r, err := segmenter().Run([]tensor.Tensor{fp32("y", []int64{1, int64(classes), int64(h), int64(w)}, logits)}, f, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, want := classMap(t, r.Segments, f.SourceWidth, f.SourceHeight), oracleSegment(logits, classes, h, w, f)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

func TestSegmentJSON(t *testing.T) {
	// Two columns of three pixels: the left one is class 0 but for its lowest pixel.
	in := fp32("y", []int64{2, 3, 2}, []float32{1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1})
	r, err := segmenter("sky", "road").Run([]tensor.Tensor{in}, plainFrame(2, 3), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `"segments":[{"label":"sky","index":0,"area":2,"mask":{"size":[3,2],"counts":[0,2]}},{"label":"road","index":1,"area":4,"mask":{"size":[3,2],"counts":[2,4]}}]`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text, err := json.Marshal(r.Segments); err != nil || `"segments":`+string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	r, err = segmenter("sky", "road").Run([]tensor.Tensor{in}, plainFrame(2, 3), Options{Classes: []string{"road"}})
	if err != nil || len(r.Segments) != 1 || r.Segments[0].Area != 4 {
		t.Errorf("%+v, %v", r.Segments, err)
	}
	none := fp32("y", []int64{2, 1, 1}, []float32{nan32(), nan32()})
	r, err = segmenter().Run([]tensor.Tensor{none}, plainFrame(2, 3), Options{})
	if err != nil || string(r.AppendJSON(nil)) != `"segments":[]` {
		t.Errorf("%s, %v", r.AppendJSON(nil), err)
	}
}

// Of equal logits the lower class wins, even where the higher one beats it in the rest of the cell.
func TestSegmentTies(t *testing.T) {
	in := fp32("y", []int64{2, 1, 2}, []float32{5, 0, 5, 3})
	r, err := segmenter().Run([]tensor.Tensor{in}, plainFrame(2, 1), Options{})
	if err != nil || !reflect.DeepEqual(classMap(t, r.Segments, 2, 1), []int{0, 1}) {
		t.Errorf("%+v, %v", r.Segments, err)
	}
}

func TestSegmentRefuses(t *testing.T) {
	for name, shape := range map[string][]int64{"one class": {1, 1, 3, 3}, "batch of 2": {2, 2, 3, 3}, "argmax": {3, 3}, "three labels": {1, 3, 2, 2}} {
		n, _ := tensor.Elements(shape)
		_, err := segmenter("a", "b").Run([]tensor.Tensor{fp32("y", shape, make([]float32, n))}, plainFrame(3, 3), Options{})
		wantContract(t, name, err)
	}
	_, err := segmenter().Run([]tensor.Tensor{fp32("y", []int64{2, 1, 1}, make([]float32, 2))}, tensor.Frame{}, Options{})
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("no frame: %v", err)
	}
	if err := segmenter("a", "b").Check(Options{TopK: ptr(1), Classes: []string{"b", "c"}}); err == nil || len(err.(*fault.Error).Fields) != 2 {
		t.Errorf("options: %v", err)
	}
}

func BenchmarkSegment(b *testing.B) {
	const classes, side = 150, 128
	logits := make([]float32, classes*side*side)
	for i := range logits {
		c, y, x := i/side/side, i/side%side, i%side
		logits[i] = float32(math.Sin(float64(x*c)/97) + math.Cos(float64(y*(c+3))/89))
	}
	outputs := []tensor.Tensor{fp32("y", []int64{1, classes, side, side}, logits)}
	f := tensor.Frame{SourceWidth: 1920, SourceHeight: 1080, Width: 512, Height: 512, ScaleX: 512.0 / 1920, ScaleY: 512.0 / 1080}
	p := segmenter()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(outputs, f, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
