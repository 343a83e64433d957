package kserve

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

var _ encoding.CodecV2 = codec{}

// codec reads ModelInferRequest and writes its answers by hand: a request's bytes are copied once, out of grpc's frames into one buffer that its tensors
// are slices of, and an answer's tensors are sent from where they lie. All other messages are the generated code's.
type codec struct{ buffers *buffers }

// Name makes the content type application/grpc+proto, as the bytes are those of the generated code.
func (codec) Name() string { return "proto" }

// Unmarshal reads a message. That an inferMessage cannot be read is told by its own err: grpc would make INTERNAL of an error returned here.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *inferMessage:
		m.memory = c.buffers.get(data.Len())
		data.CopyTo(m.memory.data)
		m.err = m.parse(m.memory.data)
		return nil
	case proto.Message:
		return proto.Unmarshal(data.Materialize(), m)
	}
	return fmt.Errorf("kserve: cannot unmarshal into a %T", v)
}

// Marshal writes a message.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *inferAnswer:
		return m.marshal()
	case wireConfig:
		b := protowire.AppendTag(make([]byte, 0, len(m)+8), 1, protowire.BytesType)
		return mem.BufferSlice{mem.SliceBuffer(protowire.AppendBytes(b, m))}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, fmt.Errorf("kserve: cannot marshal a %T", v)
}

// wireConfig is a ModelConfigResponse: the bytes of the ModelConfig in it.
type wireConfig []byte
