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

// codec is how streams go through grpc. A request's tensors travel as they lie in memory: grpc reads them frame by frame, also after a cancelled call. What lies
// in a backend.Memory is retained until then; the rest is ordinary Go memory that nobody writes to, so that grpc may hold on to it for as long as it likes. A
// response is copied out of grpc's frames.
type codec struct{}

// Name makes the content type application/grpc+proto, as the bytes are those of the generated code.
func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*inferRequest)
	if !ok {
		return nil, fmt.Errorf("triton: cannot marshal a %T", v)
	}
	pieces, err := r.marshal()
	if err != nil {
		return nil, err
	}
	var held *lease
	large := len(pieces) / 2
	if r.memory != nil && large > 0 {
		held = newLease(r.memory, large)
	}
	out := make(mem.BufferSlice, 0, len(pieces))
	for i, piece := range pieces {
		if i%2 == 1 {
			out = append(out, held.buffer(piece))
		} else {
			out = append(out, mem.SliceBuffer(piece))
		}
	}
	return out, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*streamedResponse); ok {
		return r.unmarshal(data.Materialize())
	}
	return fmt.Errorf("triton: cannot unmarshal into a %T", v)
}
