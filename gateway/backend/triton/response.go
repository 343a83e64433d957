package triton

import (
	"slices"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of ModelInferResponse, from grpc_service.proto. Its outputs and parameters have those of the request's.
const (
	responseModel   protowire.Number = 1
	responseVersion protowire.Number = 2
	responseID      protowire.Number = 3
	responseParams  protowire.Number = 4
	responseOutputs protowire.Number = 5
	responseRaw     protowire.Number = 6

	streamError    protowire.Number = 1
	streamResponse protowire.Number = 2
)

// inferResponse is a ModelInferResponse without the parameters of its outputs. raw is positional to outputs.
type inferResponse struct {
	model, version, id string
	params             map[string]any // bool, int64, uint64, float64 or string; nil where there are none
	outputs            []wireOutput
	raw                [][]byte
}

// streamedResponse is a ModelStreamInferResponse. Where problem is not empty, the answer holds at most the names of what has failed.
type streamedResponse struct {
	problem string
	answer  inferResponse
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
	return r.read(wireReader{in: in})
}

// unmarshal reads the message as inferResponse.unmarshal does.
func (s *streamedResponse) unmarshal(data mem.BufferSlice) error {
	*s = streamedResponse{}
	in := data.Reader()
	defer in.Close()
	r := wireReader{in: in}
	for r.left() > 0 {
		num, typ, err := r.tag()
		switch {
		case err != nil:
		case typ == protowire.BytesType && num == streamError:
			err = readString(r, &s.problem)
		case typ == protowire.BytesType && num == streamResponse:
			var inner wireReader
			if inner, err = r.nested(); err == nil {
				err = s.answer.read(inner)
			}
		default:
			err = r.skip(num, typ)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read adds what it reads to what is there, as a message that comes in pieces asks for.
func (r *inferResponse) read(in wireReader) error {
	for in.left() > 0 {
		num, typ, err := in.tag()
		if err != nil {
			return err
		}
		if typ != protowire.BytesType {
			err = in.skip(num, typ)
		} else {
			err = r.field(in, num)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *inferResponse) field(in wireReader, num protowire.Number) error {
	switch num {
	case responseModel:
		return readString(in, &r.model)
	case responseVersion:
		return readString(in, &r.version)
	case responseID:
		return readString(in, &r.id)
	case responseRaw:
		body, err := in.bytes()
		if err == nil {
			r.raw = append(r.raw, body)
		}
		return err
	case responseOutputs:
		inner, err := in.nested()
		if err != nil {
			return err
		}
		r.outputs = append(r.outputs, wireOutput{})
		return r.outputs[len(r.outputs)-1].read(inner)
	case responseParams:
		body, err := in.bytes()
		if err != nil {
			return err
		}
		return r.param(body)
	}
	return in.skip(num, protowire.BytesType)
}

// readString reads a text. Short ones, as names are, take one allocation.
func readString(in wireReader, to *string) error {
	n, err := in.length()
	if err != nil {
		return err
	}
	var short [64]byte
	body := short[:min(n, len(short))]
	if n > len(short) {
		body = make([]byte, n)
	}
	if err := in.fill(body); err != nil {
		return err
	}
	return setString(to, body)
}

func (o *wireOutput) read(in wireReader) error {
	for in.left() > 0 {
		num, typ, err := in.tag()
		switch {
		case err != nil:
		case num == tensorShape && typ == protowire.VarintType:
			err = o.dimension(in)
		case typ != protowire.BytesType:
			err = in.skip(num, typ)
		case num == tensorName:
			err = readString(in, &o.name)
		case num == tensorDType:
			err = readString(in, &o.dtype)
		case num == tensorShape:
			err = o.packed(in)
		case num == tensorContents: // a message given in pieces is the sum of the pieces
			var body []byte
			body, err = in.bytes()
			o.contents = append(o.contents, body...)
			if o.contents == nil {
				o.contents = []byte{}
			}
		default:
			err = in.skip(num, typ)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *wireOutput) packed(in wireReader) error {
	inner, err := in.nested()
	if err != nil {
		return err
	}
	o.shape = slices.Grow(o.shape, min(inner.left(), maxDims))
	for inner.left() > 0 {
		if err := o.dimension(inner); err != nil {
			return err
		}
	}
	return nil
}

func (o *wireOutput) dimension(in wireReader) error {
	v, err := in.varint()
	o.shape = append(o.shape, int64(v))
	return err
}
