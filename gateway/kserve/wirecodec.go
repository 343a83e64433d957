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

// Unmarshal reads a message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	b := c.buffers.get(data.Len())
	data.CopyTo(b.data)
	return c.read(b, v)
}

// read reads a message from memory, which it takes over. That an inferMessage cannot be read is told by its own err: grpc would make INTERNAL of an error
// returned here.
func (codec) read(b *buffer, v any) error {
	if m, ok := v.(*inferMessage); ok {
		m.memory = b
		m.err = m.parse(b.data)
		return nil
	}
	defer b.Release()
	if m, ok := v.(proto.Message); ok {
		return proto.Unmarshal(b.data, m) // copies what it keeps
	}
	return fmt.Errorf("kserve: cannot unmarshal into a %T", v)
}

// Marshal writes a message.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	pieces, err := write(v)
	out := make(mem.BufferSlice, 0, len(pieces))
	for _, b := range pieces {
		out = append(out, mem.SliceBuffer(b))
	}
	return out, err
}

// write gives the bytes of a message in pieces.
func write(v any) ([][]byte, error) {
	switch m := v.(type) {
	case *inferAnswer:
		return m.marshal()
	case wireConfig:
		b := protowire.AppendTag(make([]byte, 0, len(m)+8), 1, protowire.BytesType)
		return [][]byte{protowire.AppendBytes(b, m)}, nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return [][]byte{b}, err
	}
	return nil, fmt.Errorf("kserve: cannot marshal a %T", v)
}

// wireConfig is a ModelConfigResponse: the bytes of the ModelConfig in it.
type wireConfig []byte
