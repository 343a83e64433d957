// Package tensor is the common currency of the gateway: what preprocess makes, backends run and postprocess reads.
// It depends on the standard library alone, so that everything may depend on it.
package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// DType is an element type, by KServe v2 name.
type DType uint8

// The datatypes of KServe v2 and Triton. Invalid is the zero value.
const (
	Invalid DType = iota
	Bool
	Uint8
	Uint16
	Uint32
	Uint64
	Int8
	Int16
	Int32
	Int64
	FP16
	FP32
	FP64
	BF16
	Bytes
)

var dtypes = [...]struct {
	name string
	size int
}{{"", 0}, {"BOOL", 1}, {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4}, {"UINT64", 8}, {"INT8", 1}, {"INT16", 2}, {"INT32", 4},
	{"INT64", 8}, {"FP16", 2}, {"FP32", 4}, {"FP64", 8}, {"BF16", 2}, {"BYTES", 0}}

// ParseDType reads a KServe v2 name such as FP32. Unknown names give Invalid and false.
func ParseDType(name string) (DType, bool) {
	for i, d := range dtypes[1:] {
		if d.name == name {
			return DType(i + 1), true
		}
	}
	return Invalid, false
}

// String gives the KServe v2 name; "" for Invalid.
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return ""
}

// Size is the number of bytes of one element; 0 for BYTES, whose elements vary, and for Invalid.
func (d DType) Size() int {
	if int(d) < len(dtypes) {
		return dtypes[d].size
	}
	return 0
}

// Tensor is a named array. Data is little-endian, row-major, without padding; BOOL takes one byte; an element of BYTES is a
// little-endian uint32 length and that many bytes. Data may be shared between tensors and must not be written to once the
// tensor has been handed on.
type Tensor struct {
	Name  string
	DType DType
	Shape []int64
	Data  []byte
}

// Elements multiplies the dimensions of shape. It fails on a negative dimension and on overflow of int64.
// The empty shape has one element, as in NumPy.
func Elements(shape []int64) (int64, error) {
	n := uint64(1)
	zero := false
	for i, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: dimension %d is negative", shape, i)
		}
		if d == 0 {
			zero = true
			continue
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v: too many elements", shape)
		}
		n = lo
	}
	if zero {
		return 0, nil
	}
	return int64(n), nil
}

// Validate checks that Data has exactly the bytes that DType and Shape ask for.
func (t *Tensor) Validate() error {
	n, err := Elements(t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.DType == Bytes {
		return t.validateBytes(n)
	}
	size := int64(t.DType.Size())
	if size == 0 {
		return fmt.Errorf("tensor %q: no datatype", t.Name)
	}
	if n > math.MaxInt64/size || n*size != int64(len(t.Data)) {
		return fmt.Errorf("tensor %q: %s %v needs %d elements of %d bytes, got %d bytes", t.Name, t.DType, t.Shape, n, size, len(t.Data))
	}
	return nil
}

func (t *Tensor) validateBytes(n int64) error {
	rest, got := t.Data, int64(0)
	for len(rest) > 0 {
		if len(rest) < 4 {
			return fmt.Errorf("tensor %q: BYTES element %d has a cut length prefix", t.Name, got)
		}
		size := uint64(binary.LittleEndian.Uint32(rest))
		if size > uint64(len(rest)-4) {
			return fmt.Errorf("tensor %q: BYTES element %d claims %d bytes, %d are left", t.Name, got, size, len(rest)-4)
		}
		rest = rest[4+size:]
		got++
	}
	if got != n {
		return fmt.Errorf("tensor %q: BYTES %v needs %d elements, got %d", t.Name, t.Shape, n, got)
	}
	return nil
}
