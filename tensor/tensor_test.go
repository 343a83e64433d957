package tensor

import (
	"math"
	"strings"
	"testing"
)

func TestDTypeNamesAndSizes(t *testing.T) {
	want := map[string]int{"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2, "INT32": 4,
		"INT64": 8, "FP16": 2, "FP32": 4, "FP64": 8, "BF16": 2, "BYTES": 0}
	for name, size := range want {
		d, ok := ParseDType(name)
		if !ok || d.String() != name || d.Size() != size {
			t.Errorf("%s: got %v (%v), %q, %d bytes; want %d", name, d, ok, d.String(), d.Size(), size)
		}
	}
	for _, name := range []string{"", "fp32", "TYPE_FP32", "STRING"} {
		if d, ok := ParseDType(name); ok || d != Invalid {
			t.Errorf("%q was taken for %v", name, d)
		}
	}
	if DType(200).String() != "" || DType(200).Size() != 0 {
		t.Error("an unknown DType has a name or a size")
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		want  int64
		fails string
	}{
		{nil, 1, ""},
		{[]int64{2, 3, 4}, 24, ""},
		{[]int64{0, 5, 7}, 0, ""},
		{[]int64{0, math.MaxInt64, math.MaxInt64}, 0, "too many"},
		{[]int64{math.MaxInt64}, math.MaxInt64, ""},
		{[]int64{1 << 32, 1 << 32}, 0, "too many"},
		{[]int64{1 << 31, 1 << 32}, 0, "too many"},
		{[]int64{math.MaxInt64, 3}, 0, "too many"},
		{[]int64{0, -1}, 0, "negative"},
	} {
		got, err := Elements(c.shape)
		if c.fails == "" && (err != nil || got != c.want) {
			t.Errorf("%v: got %d, %v; want %d", c.shape, got, err, c.want)
		}
		if c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%v: got %d, %v; want an error with %q", c.shape, got, err, c.fails)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name  string
		t     Tensor
		fails string
	}{
		{"fits", Tensor{DType: FP32, Shape: []int64{2, 2}, Data: make([]byte, 16)}, ""},
		{"empty", Tensor{DType: FP32, Shape: []int64{0, 2}}, ""},
		{"short", Tensor{DType: FP32, Shape: []int64{2, 2}, Data: make([]byte, 15)}, "got 15 bytes"},
		{"no type", Tensor{Shape: []int64{1}, Data: []byte{1}}, "no datatype"},
		{"bytes overflow", Tensor{DType: FP64, Shape: []int64{math.MaxInt64}}, "needs"},
		{"strings", Tensor{DType: Bytes, Shape: []int64{2}, Data: []byte("\x01\x00\x00\x00a\x00\x00\x00\x00")}, ""},
		{"strings, one missing", Tensor{DType: Bytes, Shape: []int64{3}, Data: []byte("\x01\x00\x00\x00a\x00\x00\x00\x00")}, "got 2"},
		{"strings, cut prefix", Tensor{DType: Bytes, Shape: []int64{1}, Data: []byte("\x01\x00")}, "cut length"},
		{"strings, cut element", Tensor{DType: Bytes, Shape: []int64{1}, Data: []byte("\xff\xff\xff\xffab")}, "2 are left"},
	} {
		err := c.t.Validate()
		if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.fails)
		}
	}
}

func TestFrame(t *testing.T) {
	f := Frame{SourceWidth: 640, SourceHeight: 480, Width: 160, Height: 160, ScaleX: 0.25, ScaleY: 0.25, OffsetX: 0, OffsetY: 20}
	if x, y := f.ToSource(80, 80); x != 320 || y != 240 {
		t.Errorf("the centre went to %v,%v", x, y)
	}
	for _, c := range [][4]float64{{-1, 481, 0, 480}, {641, -0.5, 640, 0}, {math.NaN(), math.Inf(1), 0, 480}, {10, 20, 10, 20}} {
		if x, y := f.Clip(c[0], c[1]); x != c[2] || y != c[3] {
			t.Errorf("Clip(%v,%v) = %v,%v, want %v,%v", c[0], c[1], x, y, c[2], c[3])
		}
	}
}
