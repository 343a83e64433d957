package postprocess

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// contract is the error for outputs that are not what the task says.
func contract(format string, args ...any) error {
	return fault.New(fault.Contract, "upstream_contract", format, args...)
}

// find gives the output of that name, or the only one where name is empty, with as many bytes as its shape says and elements
// that scores can be read from.
func find(outputs []tensor.Tensor, name string) (*tensor.Tensor, error) {
	for i := range outputs {
		t := &outputs[i]
		if t.Name != name && !(name == "" && len(outputs) == 1) {
			continue
		}
		if !task.Scores(t.DType) {
			return nil, contract("output %q is %s; scores are read from FP32, FP16, BF16 or FP64", t.Name, t.DType)
		}
		if err := t.Validate(); err != nil {
			return nil, contract("output: %s", err)
		}
		if len(t.Data) == 0 {
			return nil, contract("output %q has shape %v, which holds nothing", t.Name, t.Shape)
		}
		return t, nil
	}
	return nil, contract("the model did not give the output %q", name)
}

// matrix gives the rows and columns of one item: shape [rows, columns] or [1, rows, columns].
func matrix(t *tensor.Tensor) (rows, columns int, err error) {
	s := t.Shape
	if len(s) == 3 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) != 2 || s[0] > math.MaxInt32 || s[1] > math.MaxInt32 {
		return 0, 0, contract("output %q has shape %v; one item of two dimensions is needed", t.Name, t.Shape)
	}
	return int(s[0]), int(s[1]), nil
}

// vector checks that at most one dimension is longer than 1.
func vector(t *tensor.Tensor) error {
	long := 0
	for _, d := range t.Shape {
		if d > 1 {
			long++
		}
	}
	if long > 1 {
		return contract("output %q has shape %v; one item of one dimension is needed", t.Name, t.Shape)
	}
	return nil
}

// at reads element i as float64. i is inside the tensor, and the datatype one of those that find lets through.
func at(t *tensor.Tensor, i int) float64 {
	switch t.DType {
	case tensor.FP32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(t.Data[i*4:])))
	case tensor.FP64:
		return math.Float64frombits(binary.LittleEndian.Uint64(t.Data[i*8:]))
	case tensor.FP16:
		return float64(half(binary.LittleEndian.Uint16(t.Data[i*2:])))
	default: // BF16: the upper half of an FP32
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[i*2:])) << 16))
	}
}

// elements is the number of elements of a tensor that find has let through.
func elements(t *tensor.Tensor) int { return len(t.Data) / t.DType.Size() }

// float32s gives all elements as float32: the tensor's own memory where that is possible, else a copy in *buffer. FP64 is
// rounded to the nearest float32.
func float32s(t *tensor.Tensor, buffer *[]float32) []float32 {
	n := elements(t)
	if view, ok := view32(t, n); ok {
		return view
	}
	out := slices.Grow((*buffer)[:0], n)[:n]
	*buffer = out
	if t.DType == tensor.FP32 && n > 0 && littleEndian() { // only not aligned: a copy of the bytes will do
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(out))), 4*n), t.Data)
		return out
	}
	for i := range out {
		out[i] = float32(at(t, i))
	}
	return out
}

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// view32 looks at FP32 bytes as float32, on little-endian machines and where the bytes are aligned. The view is only read,
// and only as long as t.Data is held.
func view32(t *tensor.Tensor, n int) ([]float32, bool) {
	if t.DType != tensor.FP32 || n == 0 || !littleEndian() {
		return nil, false
	}
	first := unsafe.Pointer(unsafe.SliceData(t.Data))
	if uintptr(first)%unsafe.Alignof(float32(0)) != 0 {
		return nil, false
	}
	return unsafe.Slice((*float32)(first), n), true
}

// half reads an IEEE 754 binary16.
func half(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero and subnormal: fraction * 2^-24
		f := float32(fraction) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(f))
	case 0x1f: // infinity and NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
