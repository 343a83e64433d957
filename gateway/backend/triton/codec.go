package triton

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// inlineLimit is the total of tensor bytes up to which a request is sent as one buffer: below it, copying is cheaper
// than the bookkeeping of more buffers.
const inlineLimit = 4 << 10

var _ encoding.CodecV2 = codec{}

// codec puts an inferRequest on the wire and takes an inferResponse off it. Tensors travel as they lie in memory: grpc reads them frame
// by frame. They are ordinary Go memory without reference counts, so grpc may hold on to them for as long as it
// likes, also after a cancelled call; all that is asked is that nobody writes to them.
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
	r, ok := v.(*inferResponse)
	if !ok {
		return fmt.Errorf("triton: cannot unmarshal into a %T", v)
	}
	return r.unmarshal(data)
}
