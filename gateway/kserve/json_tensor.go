package kserve

import (
	"encoding/binary"
	"math"
	"strconv"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// jsonElements reads a tensor's data, nested in any way or flat, into little-endian bytes.
type jsonElements struct {
	*jsonReader
	input string // its name, for errors
	dtype tensor.DType
	want  int64 // elements by its shape
	got   int64
	n     jsonNumber // the one at hand
	out   []byte     // of fixed size, but for BYTES, to which it is appended
}

// read reads the array at hand. Errors name input and element.
func (e *jsonElements) read() error {
	depth, opened := 0, false
	for {
		switch c := e.peek(); {
		case c == '[':
			if err := e.enter(); err != nil {
				return err
			}
			depth++
			opened = true
			continue
		case depth == 0:
			return e.expected("an array, the data,")
		case c == ']' && opened:
		case e.got == e.want:
			return e.mismatch("more")
		default:
			if err := e.element(); err != nil {
				return err
			}
			e.got++
		}
		for opened = false; ; {
			if c := e.peek(); c == ',' {
				e.i++
				break
			} else if c != ']' {
				return e.expected("',' or ']'")
			}
			e.i++
			e.depth--
			if depth--; depth > 0 {
				continue
			}
			if e.got < e.want {
				return e.mismatch(strconv.FormatInt(e.got, 10))
			}
			return nil
		}
	}
}

func (e *jsonElements) mismatch(got string) error {
	return fault.New(fault.Invalid, "invalid_request", "input '%s': its shape has %d elements and its data %s", e.input, e.want, got).
		At("inputs."+e.input, "shape and data do not fit")
}

// element reads one element.
func (e *jsonElements) element() error {
	at := e.got
	switch e.dtype {
	case tensor.FP32:
		n := &e.n
		e.scan(n)
		v, ok := n.single(e.b[n.from:n.end])
		if !ok || n.end == n.from {
			return e.wrong(n)
		}
		e.i = n.end
		binary.LittleEndian.PutUint32(e.out[4*at:], math.Float32bits(v))
	case tensor.FP64:
		n := &e.n
		e.scan(n)
		v, ok := n.double(e.b[n.from:n.end])
		if !ok || n.end == n.from {
			return e.wrong(n)
		}
		e.i = n.end
		binary.LittleEndian.PutUint64(e.out[8*at:], math.Float64bits(v))
	case tensor.Bool:
		v, err := e.boolean()
		if err != nil {
			return e.wrong(nil)
		}
		if v {
			e.out[at] = 1
		} else {
			e.out[at] = 0
		}
	case tensor.Bytes:
		if e.peek() != '"' {
			return e.wrong(nil)
		}
		s, err := e.str()
		if err != nil {
			return err
		}
		e.out = append(binary.LittleEndian.AppendUint32(e.out, uint32(len(s))), s...)
	default:
		return e.integer(at)
	}
	return nil
}

func (e *jsonElements) integer(at int64) error {
	n := &e.n
	e.scan(n)
	text := e.b[n.from:n.end]
	var bits uint64
	ok := n.end > n.from
	if ok {
		switch size := uint(e.dtype.Size()); e.dtype {
		case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
			bits, ok = n.unsigned(text, math.MaxUint64>>(64-8*size))
		default:
			var v int64
			v, ok = n.signed(math.MinInt64>>(64-8*size), math.MaxInt64>>(64-8*size))
			bits = uint64(v)
		}
	}
	if !ok {
		return e.wrong(n)
	}
	e.i = n.end
	switch e.dtype.Size() {
	case 1:
		e.out[at] = byte(bits)
	case 2:
		binary.LittleEndian.PutUint16(e.out[2*at:], uint16(bits))
	case 4:
		binary.LittleEndian.PutUint32(e.out[4*at:], uint32(bits))
	default:
		binary.LittleEndian.PutUint64(e.out[8*at:], bits)
	}
	return nil
}

// wrong says why an element is none of the datatype.
func (e *jsonElements) wrong(n *jsonNumber) error {
	what := "it ends there"
	switch {
	case n != nil && n.end > n.from && n.bad:
		what = clipped(e.b[n.from:min(n.end+1, len(e.b))]) + " is no number"
	case n != nil && n.end > n.from:
		what = clipped(e.b[n.from:n.end]) + " does not fit"
	case e.i < len(e.b):
		what = "a value that begins with " + strconv.QuoteToASCII(string(rune(e.b[e.i]))) + " does not fit"
	}
	return fault.New(fault.Invalid, "invalid_request", "input '%s', element %d, at byte %d: %s; its datatype is %s, which takes %s",
		e.input, e.got, e.i, what, e.dtype, takes(e.dtype)).At("inputs."+e.input+".data", "element "+strconv.FormatInt(e.got, 10))
}

// takes says in words which JSON values a datatype takes.
func takes(d tensor.DType) string {
	bits := uint(8 * d.Size())
	switch d {
	case tensor.Bool:
		return "true and false"
	case tensor.Bytes:
		return "strings"
	case tensor.FP32:
		return "numbers up to 3.4028235e38"
	case tensor.FP64:
		return "numbers up to 1.7976931348623157e308"
	case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return "whole numbers from 0 to " + strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	}
	return "whole numbers from " + strconv.FormatInt(math.MinInt64>>(64-bits), 10) + " to " + strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
}
