package kserve

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"triton-gateway/gateway/backend"
	upstream "triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/limit"
	"triton-gateway/tritonpb"
)

// behind serves KServe in front of a backend, with the real catalog and pipeline, and gives its address.
func behind(tb testing.TB, b backend.Backend) string {
	tb.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	models := catalog.New(b, catalog.Options{Log: quiet})
	tb.Cleanup(func() { _ = models.Close() })
	store := must(cache.New(cache.Config{Memory: 1 << 20}, quiet))
	tb.Cleanup(func() { _ = store.Close() })
	p := pipeline.New(pipeline.Parts{Models: models, Backend: b, Cache: store, CPU: limit.New(2, 64), TTL: time.Hour})
	r := &rig{Server: New(Deps{Runner: unlimited{p}, Models: models, Backend: b, Codes: tableOf, Log: quiet, Limits: Limits{Message: 64 << 20, Timeout: time.Minute, Streams: 100}})}
	_, measured := tb.(*testing.B)
	r.buffers.poison = !measured
	return r.serve(tb, false)
}

// unlimited admits everything.
type unlimited struct{ *pipeline.Pipeline }

func (unlimited) Admit(context.Context, string, string, int64) (func(), error) { return func() {}, nil }

func floats(v ...float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// realRequests are requests that a Triton answers, and some that it refuses.
func realRequests() map[string]*tritonpb.ModelInferRequest {
	wordsOf := func(change func(*tritonpb.ModelInferRequest)) *tritonpb.ModelInferRequest {
		r := raw(ask(input("IN", "FP32", 2, 3)), floats(1, 5, 2, 7, -1, 0))
		r.ModelName = "words"
		change(r)
		return r
	}
	type wanted = tritonpb.ModelInferRequest_InferRequestedOutputTensor
	identity := raw(ask(input("IN", "FP32", 0, 4)), nil)
	identity.ModelName = "identity"
	identity.RawInputContents = [][]byte{{}}
	large := raw(ask(input("IN", "FP32", 300, 500)), make([]byte, 600_000))
	large.ModelName = "identity"
	return map[string]*tritonpb.ModelInferRequest{
		"plain":         wordsOf(func(*tritonpb.ModelInferRequest) {}),
		"version":       wordsOf(func(r *tritonpb.ModelInferRequest) { r.ModelVersion = "1" }),
		"one output":    wordsOf(func(r *tritonpb.ModelInferRequest) { r.Outputs = []*wanted{{Name: "TEXT"}} }),
		"turned around": wordsOf(func(r *tritonpb.ModelInferRequest) { r.Outputs = []*wanted{{Name: "TEXT"}, {Name: "OUT"}} }),
		"classification": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.Outputs = []*wanted{{Name: "OUT", Parameters: map[string]*tritonpb.InferParameter{"classification": param(int64(2))}}}
		}),
		"typed": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.RawInputContents = nil
			r.Inputs[0].Contents = &tritonpb.InferTensorContents{Fp32Contents: []float32{1, 5, 2, 7, -1, 0}}
		}),
		"parameters": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.Parameters = map[string]*tritonpb.InferParameter{"custom": param("x"), "priority": param(int64(0)), "sequence_id": param(int64(9))}
		}),
		"zero size": identity, "large": large,
		"bad shape": wordsOf(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Shape = []int64{2, 4} }),
		"bad bytes": wordsOf(func(r *tritonpb.ModelInferRequest) { r.RawInputContents[0] = []byte{1} }),
		"bad type":  wordsOf(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Datatype = "INT32" }),
		"no such":   wordsOf(func(r *tritonpb.ModelInferRequest) { r.Inputs[0].Name = "X" }),
		"no output": wordsOf(func(r *tritonpb.ModelInferRequest) { r.Outputs = []*wanted{{Name: "Q"}} }),
		"batch": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.Inputs[0].Shape, r.RawInputContents[0] = []int64{9, 3}, make([]byte, 108)
		}),
		"decoupled":   wordsOf(func(r *tritonpb.ModelInferRequest) { r.ModelName = "stream" }),
		"unknown":     wordsOf(func(r *tritonpb.ModelInferRequest) { r.ModelName = "nope" }),
		"bad version": wordsOf(func(r *tritonpb.ModelInferRequest) { r.ModelVersion = "x" }),
		"reserved": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.Parameters = map[string]*tritonpb.InferParameter{"triton_x": param(true)}
		}),
		"empty": wordsOf(func(r *tritonpb.ModelInferRequest) { r.RawInputContents = nil }),
		"wrong member": wordsOf(func(r *tritonpb.ModelInferRequest) {
			r.RawInputContents = nil
			r.Inputs[0].Contents = &tritonpb.InferTensorContents{IntContents: []int32{1}}
		}),
	}
}

func TestAnswersAreThoseOfTriton(t *testing.T) {
	server := triton.Get(t)
	b := must(upstream.New(upstream.Config{Endpoints: []string{server.GRPC}}, upstream.Deps{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	t.Cleanup(func() { _ = b.Close() })
	direct := tritonpb.NewGRPCInferenceServiceClient(dial(t, server.GRPC))
	gateway := tritonpb.NewGRPCInferenceServiceClient(dial(t, behind(t, b)))
	for name, r := range realRequests() {
		want, wantErr := direct.ModelInfer(call(t), r)
		got, err := gateway.ModelInfer(call(t), r)
		if status.Code(err) != status.Code(wantErr) || !proto.Equal(got, want) {
			t.Errorf("%s: got %.400v, %v; Triton says %.400v, %v", name, got, err, want, wantErr)
		}
		if wantErr != nil {
			t.Logf("%s: %q; Triton says %q", name, status.Convert(err).Message(), status.Convert(wantErr).Message())
		}
	}
	all := realRequests()
	streamed := []*tritonpb.ModelInferRequest{all["plain"], all["decoupled"], all["bad shape"], all["unknown"]}
	streamed[1].Inputs[0].Shape, streamed[1].RawInputContents = []int64{1}, [][]byte{floats(1)}
	for i, r := range streamed {
		want, got := streamOnce(t, direct, r), streamOnce(t, gateway, r)
		if len(want) != len(got) {
			t.Fatalf("stream %d: got %v, Triton says %v", i, got, want)
		}
		for k := range want {
			same := got[k].GetInferResponse()
			if want[k].ErrorMessage != "" { // the words may differ, and Triton leaves the rest of the response out
				if got[k].ErrorMessage == "" || same.GetId() != "i7" {
					t.Errorf("stream %d: got %v, Triton says %v", i, got[k], want[k])
				}
				continue
			}
			if !proto.Equal(got[k], want[k]) {
				t.Errorf("stream %d: got %v, Triton says %v", i, got[k], want[k])
			}
		}
	}
	for _, name := range []string{"words", "identity", "stream", "slow", "noop"} {
		want, err := direct.ModelMetadata(call(t), &tritonpb.ModelMetadataRequest{Name: name})
		got, err2 := gateway.ModelMetadata(call(t), &tritonpb.ModelMetadataRequest{Name: name})
		if err != nil || err2 != nil || !proto.Equal(got, want) {
			t.Errorf("metadata of %s: got %v, %v; Triton says %v, %v", name, got, err2, want, err)
		}
		wantConfig, err := direct.ModelConfig(call(t), &tritonpb.ModelConfigRequest{Name: name})
		gotConfig, err2 := gateway.ModelConfig(call(t), &tritonpb.ModelConfigRequest{Name: name})
		if err != nil || err2 != nil || !proto.Equal(gotConfig, wantConfig) {
			t.Errorf("config of %s: got %v, %v; Triton says %v, %v", name, gotConfig, err2, wantConfig, err)
		}
	}
}

func streamOnce(t *testing.T, client tritonpb.GRPCInferenceServiceClient, r *tritonpb.ModelInferRequest) (out []*tritonpb.ModelStreamInferResponse) {
	t.Helper()
	s, err := client.ModelStreamInfer(metadata.AppendToOutgoingContext(call(t), "x-ignored", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Send(r), s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for {
		a, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(status.Code(err) == codes.OK, err)
		}
		out = append(out, a)
	}
}
