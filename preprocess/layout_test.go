package preprocess

import (
	"encoding/binary"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

func mustLayout(t *testing.T, in task.Input, p task.Preprocess) *layout {
	t.Helper()
	l, err := newLayout(in, &p)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// two pixels, the second row is the border
var twoPixels = Pixels{2, 1, 3, []byte{1, 2, 3, 4, 5, 6}}

func TestLayoutOrder(t *testing.T) {
	g := &geometry{part: rect{size: size{2, 1}}, at: point{0, 0}, tensor: size{2, 2}, fill: 9}
	for _, c := range []struct {
		layout, color string
		shape         []int64
		want          []byte
	}{
		{"NCHW", "RGB", []int64{1, 3, 2, 2}, []byte{1, 4, 9, 9, 2, 5, 9, 9, 3, 6, 9, 9}},
		{"NCHW", "BGR", []int64{1, 3, 2, 2}, []byte{3, 6, 9, 9, 2, 5, 9, 9, 1, 4, 9, 9}},
		{"NHWC", "RGB", []int64{1, 2, 2, 3}, []byte{1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9}},
		{"NHWC", "BGR", []int64{1, 2, 2, 3}, []byte{3, 2, 1, 6, 5, 4, 9, 9, 9, 9, 9, 9}},
		{"CHW", "", []int64{3, 2, 2}, []byte{1, 4, 9, 9, 2, 5, 9, 9, 3, 6, 9, 9}},
		{"HWC", "", []int64{2, 2, 3}, []byte{1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9}},
	} {
		for _, dtype := range []string{"UINT8", "FP32", "FP16"} {
			l := mustLayout(t, task.Input{Layout: c.layout, Color: c.color, DType: dtype}, task.Preprocess{})
			out := tensor.Tensor{DType: l.dtype, Shape: l.shape(g.tensor), Data: l.put(twoPixels, g)}
			if err := out.Validate(); err != nil || !reflect.DeepEqual(out.Shape, c.shape) {
				t.Fatalf("%s %s %s: %v, shape %v", c.layout, c.color, dtype, err, out.Shape)
			}
			for i, want := range c.want {
				got := float64(0)
				switch dtype {
				case "UINT8":
					got = float64(out.Data[i])
				case "FP32":
					got = float64(math.Float32frombits(binary.LittleEndian.Uint32(out.Data[4*i:])))
				default:
					got = from16(binary.LittleEndian.Uint16(out.Data[2*i:]))
				}
				if got != float64(want) {
					t.Fatalf("%s %s %s: element %d is %g, want %d", c.layout, c.color, dtype, i, got, want)
				}
			}
		}
	}
}

// The formula of fillTables, against exact arithmetic that is rounded at the same three places.
func TestLayoutArithmetic(t *testing.T) {
	scale, mean, std := 1./255, 0.485, 0.229
	l := mustLayout(t, task.Input{}, task.Preprocess{Scale: task.Scale(scale), Mean: task.Numbers{mean, 0, 0}, Std: task.Numbers{std, 1, 1}})
	for v := range 256 {
		scaled, _ := new(big.Rat).SetFrac64(int64(v), 255).Float32() // torchvision's v/255
		if got := math.Float32frombits(l.single[1][v]); got != scaled {
			t.Errorf("%d/255 is %v, want %v", v, got, scaled)
		}
		difference, _ := new(big.Rat).Sub(new(big.Rat).SetFloat64(float64(scaled)), new(big.Rat).SetFloat64(float64(float32(mean)))).Float32()
		want, _ := new(big.Rat).Quo(new(big.Rat).SetFloat64(float64(difference)), new(big.Rat).SetFloat64(float64(float32(std)))).Float32()
		if got := math.Float32frombits(l.single[0][v]); got != want {
			t.Errorf("normalised %d is %v, want %v", v, got, want)
		}
	}
}

// from16 is the definition of binary16.
func from16(h uint16) float64 {
	sign, exponent, fraction := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// Every finite half comes back as itself; between two neighbours the nearer one wins, and the even one in the middle.
func TestTensor16(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		a, b := from16(h), from16(h+1)
		if h+1 == 0x7c00 {
			b = 65536
		}
		even := h
		if h&1 == 1 {
			even = h + 1
		}
		middle := float32((a + b) / 2)
		for f, want := range map[float32]uint16{float32(a): h, middle: even, math.Nextafter32(middle, -1): h, math.Nextafter32(middle, 1e9): h + 1} {
			if got := tensor16(f); got != want {
				t.Fatalf("%g becomes %04x, want %04x", f, got, want)
			}
			if f > 0 && tensor16(-f) != want|0x8000 {
				t.Fatalf("%g becomes %04x", -f, tensor16(-f))
			}
		}
	}
	if tensor16(1e30) != 0x7c00 || tensor16(1e-30) != 0 {
		t.Error("too large has to be infinite, too small 0")
	}
}

func TestLayoutRefusals(t *testing.T) {
	for text, c := range map[string]struct {
		in task.Input
		p  task.Preprocess
	}{
		`"NWHC"`:          {task.Input{Layout: "NWHC"}, task.Preprocess{}},
		`"CMYK"`:          {task.Input{Color: "CMYK"}, task.Preprocess{}},
		`"INT8"`:          {task.Input{DType: "INT8"}, task.Preprocess{}},
		`"FP33"`:          {task.Input{DType: "FP33"}, task.Preprocess{}},
		"2 numbers":       {task.Input{}, task.Preprocess{Mean: task.Numbers{1, 2}}},
		"has 3 numbers":   {task.Input{Color: "GRAY"}, task.Preprocess{Std: task.Numbers{1, 2, 3}}},
		"divided by 0":    {task.Input{}, task.Preprocess{Std: task.Numbers{1, 0, 1}}},
		"as they are":     {task.Input{DType: "UINT8"}, task.Preprocess{Scale: 0.5}},
		"not a finite":    {task.Input{}, task.Preprocess{Mean: task.Numbers{math.NaN()}}},
		"no finite":       {task.Input{}, task.Preprocess{Scale: task.Scale(math.Inf(1))}},
		"of pixel value ": {task.Input{}, task.Preprocess{Std: task.Numbers{1e-40}}},
	} {
		if _, err := newLayout(c.in, &c.p); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}
