package kserve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"

	"triton-gateway/gateway/backend"
	upstream "triton-gateway/gateway/backend/triton"
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

// plainServer answers ModelInfer with the generated code alone.
type plainServer struct {
	tritonpb.UnimplementedGRPCInferenceServiceServer
}

func (plainServer) ModelInfer(_ context.Context, r *tritonpb.ModelInferRequest) (*tritonpb.ModelInferResponse, error) {
	return &tritonpb.ModelInferResponse{ModelName: r.ModelName, ModelVersion: "1", Id: r.Id, RawOutputContents: [][]byte{make([]byte, 4)},
		Outputs: []*tritonpb.ModelInferResponse_InferOutputTensor{{Name: "OUT", Datatype: "FP32", Shape: []int64{1}}}}, nil
}

// BenchmarkModelInferGenerated is the same call of a server of generated code that checks nothing: what there is to be saved.
func BenchmarkModelInferGenerated(b *testing.B) {
	for _, size := range []int64{4, 150_528} {
		b.Run(fmt.Sprint(4*size, "B"), func(b *testing.B) {
			l := must(net.Listen("tcp", "127.0.0.1:0"))
			g := grpc.NewServer()
			tritonpb.RegisterGRPCInferenceServiceServer(g, plainServer{})
			done := make(chan error, 1)
			go func() { done <- g.Serve(l) }()
			b.Cleanup(func() { g.Stop(); <-done })
			client := tritonpb.NewGRPCInferenceServiceClient(dial(b, l.Addr().String()))
			request := raw(ask(input("IN", "FP32", 1, size)), make([]byte, 4*size))
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

// BenchmarkAddedToTriton asks a real Triton's model that does nothing by turns directly and through the gateway in this process, one call at a time, and
// reports the medians in microseconds, and what lies between them.
func BenchmarkAddedToTriton(b *testing.B) {
	server := triton.Get(b)
	up := must(upstream.New(upstream.Config{Endpoints: []string{server.GRPC}}, upstream.Deps{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	b.Cleanup(func() { _ = up.Close() })
	direct := tritonpb.NewGRPCInferenceServiceClient(dial(b, server.GRPC))
	gateway := tritonpb.NewGRPCInferenceServiceClient(dial(b, behind(b, up)))
	for _, size := range []int64{4, 150_528} {
		b.Run(fmt.Sprint(4*size, "B"), func(b *testing.B) {
			request := raw(ask(input("IN", "FP32", size)), make([]byte, 4*size))
			request.ModelName = "noop"
			var took [2][]time.Duration
			for b.Loop() {
				for i, client := range []tritonpb.GRPCInferenceServiceClient{direct, gateway} {
					start := time.Now()
					if _, err := client.ModelInfer(b.Context(), request); err != nil {
						b.Fatal(err)
					}
					took[i] = append(took[i], time.Since(start))
				}
			}
			var median [2]float64
			for i := range took {
				slices.Sort(took[i])
				median[i] = float64(took[i][len(took[i])/2].Microseconds())
			}
			b.ReportMetric(median[0], "direct-us")
			b.ReportMetric(median[1], "gateway-us")
			b.ReportMetric(median[1]-median[0], "added-us")
		})
	}
}
