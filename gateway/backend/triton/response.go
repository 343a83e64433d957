package triton

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// pinLimit is the length of a message up to which any part of it may keep all of it in memory.
const pinLimit = 4 << 10

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
	whole              int // bytes of the message around it
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

// unmarshal reads a message, whose memory belongs to the answer from then on: what is large lies in it as it came.
func (r *inferResponse) unmarshal(data []byte) error {
	*r = inferResponse{whole: len(data)}
	return r.read(data)
}

// unmarshal reads the message as inferResponse.unmarshal does.
func (s *streamedResponse) unmarshal(data []byte) error {
	*s = streamedResponse{answer: inferResponse{whole: len(data)}}
	return fields(data, func(num protowire.Number, typ protowire.Type, value []byte) error {
		switch {
		case typ == protowire.BytesType && num == streamError:
			return setString(&s.problem, value)
		case typ == protowire.BytesType && num == streamResponse:
			return s.answer.read(value)
		}
		return nil
	})
}

// read adds what it reads to what is there, as a message that comes in pieces asks for. It passes over what it does not know.
func (r *inferResponse) read(data []byte) error {
	return fields(data, func(num protowire.Number, typ protowire.Type, value []byte) error {
		if typ != protowire.BytesType {
			return nil
		}
		switch num {
		case responseModel:
			return setString(&r.model, value)
		case responseVersion:
			return setString(&r.version, value)
		case responseID:
			return setString(&r.id, value)
		case responseParams:
			return r.param(value)
		case responseRaw:
			r.raw = append(r.raw, r.keep(value))
		case responseOutputs:
			r.outputs = append(r.outputs, wireOutput{})
			return r.outputs[len(r.outputs)-1].read(value)
		}
		return nil
	})
}

// keep gives a tensor's bytes as they lie in the message, or a copy where they would keep much more in memory than they are. Nobody writes to them; nothing can be appended
// to them in place.
func (r *inferResponse) keep(part []byte) []byte {
	if r.whole > pinLimit && len(part) < r.whole/2 {
		return append(make([]byte, 0, len(part)), part...)
	}
	return part[:len(part):len(part)]
}

func (o *wireOutput) read(data []byte) error {
	return fields(data, func(num protowire.Number, typ protowire.Type, value []byte) error {
		switch {
		case num == tensorShape && typ == protowire.VarintType:
			return o.dimensions(value)
		case typ != protowire.BytesType:
		case num == tensorName:
			return setString(&o.name, value)
		case num == tensorDType:
			return setString(&o.dtype, value)
		case num == tensorShape:
			o.shape = slices.Grow(o.shape, min(len(value), maxDims))
			return o.dimensions(value)
		case num == tensorContents: // a message given in pieces is the sum of the pieces
			if o.contents = append(o.contents, value...); o.contents == nil {
				o.contents = []byte{}
			}
		}
		return nil
	})
}

// dimensions reads one varint after the other.
func (o *wireOutput) dimensions(list []byte) error {
	for len(list) > 0 {
		v, n := protowire.ConsumeVarint(list)
		if n < 0 {
			return wireError(n)
		}
		o.shape, list = append(o.shape, int64(v)), list[n:]
	}
	return nil
}
