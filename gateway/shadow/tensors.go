package shadow

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"triton-gateway/tensor"
)

// tensors compares raw outputs by name. Numbers differ by their greatest difference, in parts of the greatest number of the tensor; BYTES by the share of elements that are not equal.
func (c *Comparison) tensors(primary, shadow []tensor.Tensor) {
	if len(primary) != len(shadow) {
		c.unlike("the answers have different numbers of outputs")
		return
	}
	var d differences
	for _, p := range pairs(primary, shadow, func(t *tensor.Tensor) string { return t.Name }) {
		if why := d.add(p[0], p[1]); why != "" {
			c.unlike(why)
			return
		}
	}
	if d.elements > 0 {
		c.figure("greatest_difference", d.greatest)
		c.figure("relative_difference", d.relative)
		c.figure("differing", d.differing/d.elements)
	}
	c.Distance = d.relative
}

// differences are what was found in all tensors so far.
type differences struct{ elements, differing, greatest, relative float64 }

// add compares two tensors; it gives the reason where that cannot be done.
func (d *differences) add(t, other *tensor.Tensor) string {
	switch {
	case t == nil || other == nil:
		return "an output is missing in one of the answers"
	case t.DType != other.DType || !slices.Equal(t.Shape, other.Shape):
		return "an output has different datatypes or shapes"
	case t.Validate() != nil || other.Validate() != nil:
		return "an output is not what its shape says"
	case t.DType == tensor.Bytes:
		d.texts(t.Data, other.Data)
		return ""
	}
	size := t.DType.Size()
	n := len(t.Data) / size
	d.elements += float64(n)
	scale, apart := 0.0, 0.0
	for i := range n {
		x, y := number(t, i), number(other, i)
		if finite(x) {
			scale = max(scale, math.Abs(x))
		}
		if finite(y) {
			scale = max(scale, math.Abs(y))
		}
		// Bytes tell whole numbers apart that are the same float64; those differ by 1 at least.
		if same(x, y) && (isFloat(t.DType) || bytes.Equal(t.Data[i*size:(i+1)*size], other.Data[i*size:(i+1)*size])) {
			continue
		}
		d.differing++
		if !finite(x) || !finite(y) {
			return noNumber
		}
		if x == y {
			apart = max(apart, 1)
		}
		apart = max(apart, math.Abs(x-y))
	}
	d.greatest = max(d.greatest, min(apart, math.MaxFloat64))
	if apart > 0 {
		d.relative = max(d.relative, min(apart/scale, 1))
	}
	return ""
}

// texts compares the elements of two BYTES tensors that are valid and have the same shape.
func (d *differences) texts(a, b []byte) {
	elements, differing := 0.0, 0.0
	for len(a) >= 4 && len(b) >= 4 {
		x, y := 4+int(binary.LittleEndian.Uint32(a)), 4+int(binary.LittleEndian.Uint32(b))
		elements++
		if !bytes.Equal(a[:x], b[:y]) {
			differing++
		}
		a, b = a[x:], b[y:]
	}
	d.elements += elements
	d.differing += differing
	if differing > 0 {
		d.greatest = max(d.greatest, 1)
		d.relative = max(d.relative, differing/elements)
	}
}

func isFloat(d tensor.DType) bool {
	return d == tensor.FP16 || d == tensor.FP32 || d == tensor.FP64 || d == tensor.BF16
}

// number reads element i of a valid tensor that is not BYTES.
func number(t *tensor.Tensor, i int) float64 {
	le, d := binary.LittleEndian, t.Data
	switch t.DType {
	case tensor.Bool, tensor.Uint8:
		return float64(d[i])
	case tensor.Int8:
		return float64(int8(d[i]))
	case tensor.Uint16:
		return float64(le.Uint16(d[i*2:]))
	case tensor.Int16:
		return float64(int16(le.Uint16(d[i*2:])))
	case tensor.FP16:
		return binary16(le.Uint16(d[i*2:]))
	case tensor.BF16: // the upper half of an FP32
		return float64(math.Float32frombits(uint32(le.Uint16(d[i*2:])) << 16))
	case tensor.Uint32:
		return float64(le.Uint32(d[i*4:]))
	case tensor.Int32:
		return float64(int32(le.Uint32(d[i*4:])))
	case tensor.FP32:
		return float64(math.Float32frombits(le.Uint32(d[i*4:])))
	case tensor.Uint64:
		return float64(le.Uint64(d[i*8:]))
	case tensor.Int64:
		return float64(int64(le.Uint64(d[i*8:])))
	}
	return math.Float64frombits(le.Uint64(d[i*8:]))
}

// binary16 reads an IEEE 754 half: sign, 5 bits of exponent, 10 of fraction.
func binary16(h uint16) float64 {
	exponent, v := int(h>>10&31), float64(h&1023)
	switch exponent {
	case 0:
		v = math.Ldexp(v, -24)
	case 31:
		if v != 0 {
			return math.NaN()
		}
		v = math.Inf(1)
	default:
		v = math.Ldexp(v+1024, exponent-25)
	}
	if h>>15 == 1 {
		return -v
	}
	return v
}
