package kserve

import (
	"context"
	"fmt"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// BenchmarkModelInfer answers a fixed output of four bytes, so that what is counted is the request's way in. The client's own allocations are in it.
func BenchmarkModelInfer(b *testing.B) {
	for _, size := range []int64{4, 150_528} {
		b.Run(fmt.Sprint(4*size, "B"), func(b *testing.B) {
			r := newRig(b, nil)
			r.buffers.poison = false
			out := &backend.Response{Version: "1", Outputs: []tensor.Tensor{{Name: "OUT", DType: tensor.FP32, Shape: []int64{1}, Data: make([]byte, 4)}}}
			passed := &pipeline.Passed{Response: out}
			r.runner.pass = func(context.Context, *backend.Request) (*pipeline.Passed, error) { return passed, nil }
			client := r.client(b)
			request := raw(ask(input("IN", "FP32", 1, size)), make([]byte, 4*size))
			b.SetBytes(4 * size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.ModelInfer(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkServerLive is the floor: a call that does nothing.
func BenchmarkServerLive(b *testing.B) {
	client := newRig(b, nil).client(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.ServerLive(b.Context(), &tritonpb.ServerLiveRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
