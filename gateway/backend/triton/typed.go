package triton

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/tensor"
)

// contentsField is the field of InferTensorContents that holds a datatype; 0 where there is none: FP16 and BF16 travel raw only.
func contentsField(d tensor.DType) protowire.Number {
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

// typedContents turns InferTensorContents into raw bytes. Triton always answers raw; other servers of the protocol need not.
// Numbers may come packed or one by one. A number that the datatype cannot hold is an error.
func typedContents(d tensor.DType, b []byte) ([]byte, error) {
	want := contentsField(d)
	if want == 0 {
		return nil, fmt.Errorf("%s cannot be sent as typed contents", d)
	}
	out := []byte{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, wireError(n)
		}
		b = b[n:]
		value := b
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, wireError(n)
		}
		value, b = value[:n], b[n:]
		if num > 8 || typ == protowire.StartGroupType {
			continue // not of this protocol
		}
		if num != want {
			return nil, fmt.Errorf("%s comes in field %d of the contents, not in %d", d, num, want)
		}
		var err error
		if out, err = appendTyped(out, d, typ, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// appendTyped adds the value of one field: a packed list, a single number, or one BYTES element.
func appendTyped(out []byte, d tensor.DType, typ protowire.Type, value []byte) ([]byte, error) {
	if typ == protowire.BytesType {
		body, _ := protowire.ConsumeBytes(value)
		if d != tensor.Bytes {
			return appendNumbers(out, d, body)
		}
		if uint64(len(body)) > math.MaxUint32 {
			return nil, fmt.Errorf("BYTES element of %d bytes", len(body))
		}
		return append(binary.LittleEndian.AppendUint32(out, uint32(len(body))), body...), nil
	}
	if wireType(d) != typ {
		return nil, fmt.Errorf("%s with wire type %d", d, typ)
	}
	return appendNumbers(out, d, value)
}

func wireType(d tensor.DType) protowire.Type {
	switch d {
	case tensor.FP32:
		return protowire.Fixed32Type
	case tensor.FP64:
		return protowire.Fixed64Type
	case tensor.Bytes:
		return protowire.BytesType
	}
	return protowire.VarintType
}

func appendNumbers(out []byte, d tensor.DType, body []byte) ([]byte, error) {
	switch d {
	case tensor.FP32, tensor.FP64: // the wire has the same bytes
		if len(body)%d.Size() != 0 {
			return nil, fmt.Errorf("%d bytes of %s", len(body), d)
		}
		return append(out, body...), nil
	}
	for len(body) > 0 {
		v, n := protowire.ConsumeVarint(body)
		if n < 0 {
			return nil, wireError(n)
		}
		body = body[n:]
		var err error
		if out, err = appendInteger(out, d, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendInteger(out []byte, d tensor.DType, v uint64) ([]byte, error) {
	switch d {
	case tensor.Bool:
		if v != 0 {
			v = 1
		}
		return append(out, byte(v)), nil
	case tensor.Int8, tensor.Int16, tensor.Int32:
		s, bits := int64(int32(v)), 8*d.Size() // int32 on the wire is a sign-extended varint
		if low := int64(-1) << (bits - 1); s < low || s > -low-1 {
			return nil, fmt.Errorf("%d does not fit %s", s, d)
		}
		v = uint64(s)
	case tensor.Uint8, tensor.Uint16, tensor.Uint32:
		if v = uint64(uint32(v)); v >= 1<<(8*d.Size()) {
			return nil, fmt.Errorf("%d does not fit %s", v, d)
		}
	}
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], v)
	return append(out, word[:d.Size()]...), nil
}
