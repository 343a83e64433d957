package triton

import (
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of ModelInferResponse, from grpc_service.proto. Its outputs have those of the request's inputs.
const (
	responseModel   protowire.Number = 1
	responseVersion protowire.Number = 2
	responseID      protowire.Number = 3
	responseOutputs protowire.Number = 5
	responseRaw     protowire.Number = 6
)

var errWire = errors.New("not a valid ModelInferResponse")

// inferResponse is a ModelInferResponse without its parameters. raw is positional to outputs.
type inferResponse struct {
	model, version, id string
	outputs            []wireOutput
	raw                [][]byte
}

// wireOutput is an InferOutputTensor. contents holds the bytes of its InferTensorContents, nil where there are none.
type wireOutput struct {
	name, dtype string
	shape       []int64
	contents    []byte
}

// unmarshal reads the message from grpc's frames. Each raw output is copied once, from the frames into memory of its own; grpc
// frees the frames afterwards.
func (r *inferResponse) unmarshal(data mem.BufferSlice) error {
	*r = inferResponse{}
	in := data.Reader()
	defer in.Close()
	for in.Remaining() > 0 {
		if err := r.field(in); err != nil {
			return err
		}
	}
	return nil
}

func (r *inferResponse) field(in *mem.Reader) error {
	tag, err := readVarint(in)
	if err != nil {
		return err
	}
	num, typ := protowire.DecodeTag(tag)
	if num < protowire.MinValidNumber || tag>>3 > math.MaxInt32 {
		return fmt.Errorf("%w: field number", errWire)
	}
	known := num == responseModel || num == responseVersion || num == responseID || num == responseOutputs || num == responseRaw
	if typ != protowire.BytesType || !known {
		return skip(in, num, typ)
	}
	body, err := readBytes(in)
	if err != nil {
		return err
	}
	switch num {
	case responseModel:
		return setString(&r.model, body)
	case responseVersion:
		return setString(&r.version, body)
	case responseID:
		return setString(&r.id, body)
	case responseRaw:
		r.raw = append(r.raw, body)
		return nil
	}
	var out wireOutput
	if err := out.unmarshal(body); err != nil {
		return err
	}
	r.outputs = append(r.outputs, out)
	return nil
}

func (o *wireOutput) unmarshal(b []byte) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return wireError(n)
		}
		b = b[n:]
		value := b
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return wireError(n)
		}
		value, b = b[:n], b[n:]
		if err := o.set(num, typ, value); err != nil {
			return err
		}
	}
	return nil
}

func (o *wireOutput) set(num protowire.Number, typ protowire.Type, value []byte) error {
	if num == tensorShape && typ == protowire.VarintType {
		v, _ := protowire.ConsumeVarint(value)
		o.shape = append(o.shape, int64(v))
		return nil
	}
	if typ != protowire.BytesType {
		return nil
	}
	body, _ := protowire.ConsumeBytes(value)
	switch num {
	case tensorName:
		return setString(&o.name, body)
	case tensorDType:
		return setString(&o.dtype, body)
	case tensorShape:
		for len(body) > 0 {
			v, n := protowire.ConsumeVarint(body)
			if n < 0 {
				return wireError(n)
			}
			o.shape, body = append(o.shape, int64(v)), body[n:]
		}
	case tensorContents: // a message given in pieces is the sum of the pieces
		if o.contents == nil {
			o.contents = []byte{}
		}
		o.contents = append(o.contents, body...)
	}
	return nil
}

func setString(to *string, body []byte) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: text is not UTF-8", errWire)
	}
	*to = string(body)
	return nil
}

// skip passes over a field that is not used: parameters, or what a later protocol adds.
func skip(in *mem.Reader, num protowire.Number, typ protowire.Type) error {
	switch typ {
	case protowire.VarintType:
		_, err := readVarint(in)
		return err
	case protowire.Fixed32Type:
		return discard(in, 4)
	case protowire.Fixed64Type:
		return discard(in, 8)
	case protowire.BytesType:
		n, err := readVarint(in)
		if err != nil {
			return err
		}
		return discard(in, n)
	case protowire.StartGroupType:
		return skipGroup(in, num)
	}
	return fmt.Errorf("%w: wire type %d", errWire, typ)
}

// skipGroup is a loop, not a recursion: nesting is bounded by the list, and the list by the protobuf runtime's own limit.
func skipGroup(in *mem.Reader, num protowire.Number) error {
	open := []protowire.Number{num}
	for len(open) > 0 {
		tag, err := readVarint(in)
		if err != nil {
			return err
		}
		num, typ := protowire.DecodeTag(tag)
		if num < protowire.MinValidNumber || tag>>3 > math.MaxInt32 {
			return fmt.Errorf("%w: field number", errWire)
		}
		switch typ {
		case protowire.StartGroupType:
			if open = append(open, num); len(open) > protowire.DefaultRecursionLimit {
				return fmt.Errorf("%w: nested too deep", errWire)
			}
		case protowire.EndGroupType:
			if open[len(open)-1] != num {
				return fmt.Errorf("%w: end of another group", errWire)
			}
			open = open[:len(open)-1]
		default:
			if err := skip(in, num, typ); err != nil {
				return err
			}
		}
	}
	return nil
}

func discard(in *mem.Reader, n uint64) error {
	if n > uint64(in.Remaining()) {
		return fmt.Errorf("%w: cut short", errWire)
	}
	_, err := in.Discard(int(n))
	return err
}

// readBytes copies a length-delimited value out of the frames.
func readBytes(in *mem.Reader) ([]byte, error) {
	n, err := readVarint(in)
	if err != nil {
		return nil, err
	}
	if n > uint64(in.Remaining()) {
		return nil, fmt.Errorf("%w: a value claims %d bytes, %d are left", errWire, n, in.Remaining())
	}
	body := make([]byte, n)
	if n > 0 {
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, fmt.Errorf("%w: %w", errWire, err)
		}
	}
	return body, nil
}

func readVarint(in *mem.Reader) (uint64, error) {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if in.Remaining() == 0 {
			return 0, fmt.Errorf("%w: cut short", errWire)
		}
		c, err := in.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errWire, err)
		}
		if shift == 63 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: varint overflow", errWire)
}

func wireError(n int) error { return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n)) }
