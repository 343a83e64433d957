package kserve

import (
	"bytes"
	"compress/zlib"
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

// A message inflates within what it may, pays for its memory while it does, and gives all of it back.
func TestAMessageThatSwells(t *testing.T) {
	full := fault.New(fault.Busy, "queue_full", "no memory")
	for name, c := range map[string]struct {
		size, limit int
		memory      int64
		want        codes.Code
	}{
		"small":           {1000, 64 << 20, 1 << 20, codes.OK},
		"in steps":        {1 << 20, 64 << 20, 64 << 20, codes.OK},
		"free ratio":      {freeRatio, 64 << 20, 64 << 20, codes.OK},
		"swells too much": {freeRatio + 1, 64 << 20, 64 << 20, codes.ResourceExhausted},
		"over the limit":  {1<<20 + 1, 1 << 20, 64 << 20, codes.ResourceExhausted},
		"the limit":       {1 << 20, 1 << 20, 64 << 20, codes.OK},
		"no memory":       {4 << 20, 64 << 20, 1 << 20, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			var packed bytes.Buffer
			w := zlib.NewWriter(&packed)
			_, _ = w.Write(make([]byte, c.size))
			_ = w.Close()
			taken := int64(0)
			s := &Server{Deps: Deps{
				Codes: func(error) (Code, string, time.Duration) {
					return Code{GRPC: uint32(codes.ResourceExhausted)}, "full", 0
				},
				Bytes: func(_ context.Context, n int64) (func(), error) {
					if taken+n > c.memory {
						return nil, full
					}
					taken += n
					return func() { taken -= n }, nil
				},
			}}
			call := &callStream{front: &front{calls: &calls{Server: s}, codec: codec{&s.buffers}, limit: c.limit}, ctx: t.Context()}
			r, err := zlib.NewReader(bytes.NewReader(packed.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			b, err := call.inflate(r, packed.Len())
			if status.Code(err) != c.want || taken != 0 {
				t.Fatalf("%v, %d bytes kept", err, taken)
			}
			if err == nil {
				if len(b.Bytes()) != c.size {
					t.Errorf("%d bytes", len(b.Bytes()))
				}
				b.Release()
			}
		})
	}
}
