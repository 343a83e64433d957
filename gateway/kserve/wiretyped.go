package kserve

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/tensor"
)

// member is a field of InferTensorContents: its number is its place in contentsMembers, its name the datatype by which Triton calls it.
type member struct {
	name string
	typ  protowire.Type // of one number
}

var contentsMembers = [...]member{
	1: {"BOOL", protowire.VarintType},
	2: {"INT32", protowire.VarintType},
	3: {"INT64", protowire.VarintType},
	4: {"UINT32", protowire.VarintType},
	5: {"UINT64", protowire.VarintType},
	6: {"FP32", protowire.Fixed32Type},
	7: {"FP64", protowire.Fixed64Type},
	8: {"BYTES", protowire.BytesType},
}

// memberOf is the field that holds a datatype; 0 where there is none: FP16 and BF16 travel raw only.
func memberOf(d tensor.DType) protowire.Number {
	switch d {
	case tensor.Bool:
		return 1
	case tensor.Int8, tensor.Int16, tensor.Int32:
		return 2
	case tensor.Int64:
		return 3
	case tensor.Uint8, tensor.Uint16, tensor.Uint32:
		return 4
	case tensor.Uint64:
		return 5
	case tensor.FP32:
		return 6
	case tensor.FP64:
		return 7
	case tensor.Bytes:
		return 8
	}
	return 0
}

// typed turns InferTensorContents, in pieces, into raw bytes. Numbers may come packed or one by one. One that the datatype cannot hold is refused,
// where Triton would send other bytes.
func typed(model, name string, d tensor.DType, pieces [][]byte) ([]byte, error) {
	size := 0
	for _, piece := range pieces {
		size += len(piece)
	}
	t := typing{model: model, input: name, dtype: d, want: memberOf(d), out: make([]byte, 0, size*max(1, d.Size()))}
	if t.want == 6 || t.want == 7 || t.want == 8 {
		t.out = make([]byte, 0, size+16) // as long as on the wire, or a little longer
	}
	for _, piece := range pieces {
		if err := fields(piece, t.set); err != nil {
			return nil, err
		}
	}
	return t.out, nil
}

type typing struct {
	model, input string
	dtype        tensor.DType
	want         protowire.Number
	out          []byte
}

func (t *typing) set(num protowire.Number, typ protowire.Type, value, body []byte) error {
	if int(num) >= len(contentsMembers) {
		return nil
	}
	m := contentsMembers[num]
	if typ != m.typ && typ != protowire.BytesType {
		return nil // not of this protocol
	}
	if typ == protowire.BytesType && m.typ != protowire.BytesType { // packed
		value = body
		if len(body) == 0 {
			return nil
		}
	}
	if num != t.want {
		if err := wellFormed(m.typ, value); err != nil {
			return err
		}
		return t.bad("unexpected explicit tensor data for input tensor '%s' for model '%s' of type '%s', expected datatype '%s'", clip(t.input), clip(t.model), m.name, t.dtype)
	}
	switch m.typ {
	case protowire.BytesType:
		if uint64(len(body)) > math.MaxUint32 {
			return t.bad("input '%s' has a BYTES element of %d bytes", clip(t.input), len(body))
		}
		t.out = append(binary.LittleEndian.AppendUint32(t.out, uint32(len(body))), body...)
		return nil
	case protowire.VarintType:
		return t.integers(value)
	}
	if err := wellFormed(m.typ, value); err != nil {
		return err
	}
	t.out = append(t.out, value...) // little-endian on the wire too
	return nil
}

// wellFormed reports whether b is a row of numbers of a wire type.
func wellFormed(typ protowire.Type, b []byte) error {
	switch typ {
	case protowire.Fixed32Type:
		if len(b)%4 != 0 {
			return badWire(-1)
		}
	case protowire.Fixed64Type:
		if len(b)%8 != 0 {
			return badWire(-1)
		}
	case protowire.VarintType:
		for len(b) > 0 {
			_, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return badWire(n)
			}
			b = b[n:]
		}
	}
	return nil
}

func (t *typing) integers(b []byte) error {
	size := t.dtype.Size()
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return badWire(n)
		}
		b = b[n:]
		bits := 8 * size
		switch t.dtype {
		case tensor.Bool:
			if v != 0 {
				v = 1
			}
		case tensor.Int8, tensor.Int16, tensor.Int32:
			s := int64(int32(v)) // an int32 is sign-extended on the wire
			if low := int64(-1) << (bits - 1); s < low || s > -low-1 {
				return t.bad("input '%s' has the number %d, which %s cannot hold", clip(t.input), s, t.dtype)
			}
			v = uint64(s)
		case tensor.Uint8, tensor.Uint16, tensor.Uint32:
			if v = uint64(uint32(v)); v >= 1<<bits {
				return t.bad("input '%s' has the number %d, which %s cannot hold", clip(t.input), v, t.dtype)
			}
		}
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], v)
		t.out = append(t.out, word[:size]...)
	}
	return nil
}

func (t *typing) bad(format string, args ...any) error {
	return invalid("inputs."+clip(t.input)+".contents", "%s", fmt.Sprintf(format, args...))
}
