package triton

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// inlineLimit is the total of tensor bytes up to which a request is sent as one buffer: below it, copying is cheaper
// than the bookkeeping of more buffers.
const inlineLimit = 4 << 10

// copyLimit is the length up to which a tensor is copied in any case. grpc does not count the references of shorter buffers, so that it could not
// be known when it has read them: its threshold is 1 KiB.
const copyLimit = 1 << 10

var _ encoding.CodecV2 = codec{}

// codec puts an inferRequest on the wire and takes answers off it. Tensors travel as they lie in memory: grpc reads them frame
// by frame, also after a cancelled call. What lies in a backend.Memory is retained until then; the rest is ordinary Go memory that nobody writes
// to, so that grpc may hold on to it for as long as it likes.
type codec struct{}

// Name makes the content type application/grpc+proto, as the bytes are those of the generated code.
func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*inferRequest)
	if !ok {
		return nil, fmt.Errorf("triton: cannot marshal a %T", v)
	}
	return r.marshal()
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch r := v.(type) {
	case *inferResponse:
		return r.unmarshal(data)
	case *streamedResponse:
		return r.unmarshal(data)
	}
	return fmt.Errorf("triton: cannot unmarshal into a %T", v)
}
