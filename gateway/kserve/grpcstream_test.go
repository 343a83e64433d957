package kserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

type inferStream = grpc.BidiStreamingClient[tritonpb.ModelInferRequest, tritonpb.ModelStreamInferResponse]

func open(tb testing.TB, r *rig, md ...string) inferStream {
	tb.Helper()
	s, err := r.client(tb).ModelStreamInfer(metadata.AppendToOutgoingContext(call(tb), md...))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// numbered is a request of a model with an id.
func numbered(model, id string, params ...any) *tritonpb.ModelInferRequest {
	r := raw(ask(input("IN", "FP32", 1)), make([]byte, 4))
	r.ModelName, r.Id = model, id
	for i := 0; i < len(params); i += 2 {
		if r.Parameters == nil {
			r.Parameters = map[string]*tritonpb.InferParameter{}
		}
		r.Parameters[params[i].(string)] = param(params[i+1])
	}
	return r
}

func send(tb testing.TB, s inferStream, list ...*tritonpb.ModelInferRequest) {
	tb.Helper()
	for _, r := range list {
		if err := s.Send(r); err != nil {
			tb.Fatal(err)
		}
	}
}

// next gives the next answer as "id" or "id: error message", with "." behind it where it is marked as the last one of its request.
func next(tb testing.TB, s inferStream) string {
	tb.Helper()
	a, err := s.Recv()
	if err != nil {
		return err.Error()
	}
	text := a.GetInferResponse().GetId()
	if a.ErrorMessage != "" {
		text += ": " + a.ErrorMessage
	}
	if a.GetInferResponse().GetParameters()["triton_final_response"].GetBoolParam() {
		text += "."
	}
	return text
}

func TestStreamAnswersInTheOrderOfItsRequests(t *testing.T) {
	r := newRig(t, nil)
	gates := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{}), "c": make(chan struct{})}
	var started sync.WaitGroup
	started.Add(3)
	r.runner.pass = func(_ context.Context, q *backend.Request) (*pipeline.Passed, error) {
		started.Done()
		<-gates[q.ID]
		if q.ID == "b" {
			return nil, fault.New(fault.Invalid, "invalid_request", "b is bad")
		}
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	s := open(t, r)
	send(t, s, numbered("echo", "a"), numbered("echo", "b"), numbered("echo", "c"))
	started.Wait() // all at the same time
	close(gates["c"])
	close(gates["b"])
	close(gates["a"])
	for _, want := range []string{"a.", "b: b is bad.", "c."} {
		if got := next(t, s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestStreamOfADecoupledModel(t *testing.T) {
	r := newRig(t, nil)
	more := make(chan struct{})
	r.runner.stream = func(_ context.Context, q *backend.Request, emit func(*backend.Response) error) error {
		if q.ID == "bad" {
			return fault.New(fault.Upstream, "upstream_error", "the model failed")
		}
		for i := range 3 {
			if i == 1 {
				<-more
			}
			one := &backend.Response{Version: "1", Outputs: []tensor.Tensor{{Name: "O", DType: tensor.Uint8, Shape: []int64{1}, Data: []byte{byte(i)}}},
				Params: map[string]any{"triton_final_response": i == 2}}
			if err := emit(one); err != nil {
				return err
			}
		}
		return nil
	}
	s := open(t, r)
	send(t, s, numbered("many", "m", "triton_enable_empty_final_response", true))
	if got := next(t, s); got != "m" {
		t.Fatalf("got %q, want the first response of m", got)
	}
	send(t, s, numbered("echo", "between")) // it does not wait for the end of m
	if got := next(t, s); got != "between." {
		t.Fatalf("got %q, want the answer of the other model", got)
	}
	close(more)
	for _, want := range []string{"m", "m."} {
		if got := next(t, s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	send(t, s, numbered("many", "bad"))
	if got := next(t, s); got != "bad: the model failed." {
		t.Errorf("got %q", got)
	}
}

func TestStreamTellsFailuresInBand(t *testing.T) {
	r := newRig(t, nil)
	s := open(t, r)
	short := numbered("echo", "short")
	short.RawInputContents = [][]byte{{1}}
	reserved := numbered("echo", "reserved", "triton_x", true)
	send(t, s, numbered("nope", "x"), short, reserved, numbered("echo", "good"))
	for _, want := range []string{`x: there is no model "nope"`, "short: ", "reserved: parameter keys starting", "good."} {
		if got := next(t, s); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestStreamWithStatusesEndsAtTheFirstFailure(t *testing.T) {
	r := newRig(t, nil)
	s := open(t, r, "triton_grpc_error", "true")
	send(t, s, numbered("echo", "good"), numbered("nope", "x"))
	if got := next(t, s); got != "good." {
		t.Errorf("got %q, want the answer before the failure", got)
	}
	if _, err := s.Recv(); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "nope") {
		t.Errorf("got %v, want NOT_FOUND", err)
	}
}

func TestStreamRunsASequenceOneByOne(t *testing.T) {
	r := newRig(t, nil)
	var running, most atomic.Int64
	var order []string
	r.runner.pass = func(_ context.Context, q *backend.Request) (*pipeline.Passed, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		order = append(order, q.ID) // no lock: the race detector sees it if two run at once
		running.Add(-1)
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	s := open(t, r)
	const n = 40
	var want []string
	for i := range n {
		id := fmt.Sprint(i)
		want = append(want, id)
		send(t, s, numbered("echo", id, "sequence_id", int64(7)))
	}
	for i := range n {
		if got := next(t, s); got != fmt.Sprint(i, ".") && got != fmt.Sprint(i)+"." {
			t.Fatalf("answer %d is %q", i, got)
		}
	}
	if most.Load() != 1 || fmt.Sprint(order) != fmt.Sprint(want) {
		t.Errorf("%d at a time, in the order %v", most.Load(), order)
	}
}

func TestStreamReadsNoMoreThanItCanHold(t *testing.T) {
	r := newRig(t, nil)
	gate := make(chan struct{})
	var running, most atomic.Int64
	full := make(chan struct{}, 1000)
	r.runner.pass = func(_ context.Context, q *backend.Request) (*pipeline.Passed, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		full <- struct{}{}
		<-gate
		running.Add(-1)
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	s := open(t, r)
	const n = 3 * inFlight
	for i := range n {
		send(t, s, numbered("echo", fmt.Sprint(i)))
	}
	for range inFlight {
		<-full
	}
	close(gate)
	for i := range n {
		if got := next(t, s); got != fmt.Sprint(i)+"." {
			t.Fatalf("answer %d is %q", i, got)
		}
	}
	if most.Load() > inFlight {
		t.Errorf("%d requests at a time, want at most %d", most.Load(), inFlight)
	}
}

func TestLeavingAStreamCancelsItsRequests(t *testing.T) {
	r := newRig(t, nil)
	started, ended := make(chan struct{}, 2), make(chan error, 2)
	wait := func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	r.runner.pass = func(ctx context.Context, _ *backend.Request) (*pipeline.Passed, error) { return nil, wait(ctx) }
	r.runner.stream = func(ctx context.Context, _ *backend.Request, _ func(*backend.Response) error) error { return wait(ctx) }
	ctx, cancel := context.WithCancel(call(t))
	s, err := r.client(t).ModelStreamInfer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, numbered("echo", "a"), numbered("many", "b"))
	<-started
	<-started
	cancel()
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a request ended with %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("a request runs on after the caller has left")
		}
	}
}

// bytesCodec sends and receives bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string                  { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}

func TestGarbageIsInvalidAndHarmsNoOtherCall(t *testing.T) {
	r := newRig(t, nil)
	conn := dial(t, r.serve(t, false))
	garbage, answer := []byte{0xff, 0xff, 0xff}, []byte{}
	err := conn.Invoke(call(t), tritonpb.GRPCInferenceService_ModelInfer_FullMethodName, &garbage, &answer, grpc.ForceCodec(bytesCodec{}))
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "not a ModelInferRequest") {
		t.Errorf("ModelInfer: got %v", err)
	}
	s, err := conn.NewStream(call(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, tritonpb.GRPCInferenceService_ModelStreamInfer_FullMethodName, grpc.ForceCodec(bytesCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(&garbage); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(&answer); status.Code(err) != codes.InvalidArgument {
		t.Errorf("ModelStreamInfer: got %v", err)
	}
	if _, err := tritonpb.NewGRPCInferenceServiceClient(conn).ModelInfer(call(t), numbered("echo", "a")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPanicsOnAStreamFailOneRequest(t *testing.T) {
	r := newRig(t, nil)
	r.runner.pass = func(_ context.Context, q *backend.Request) (*pipeline.Passed, error) {
		if q.ID == "boo" {
			panic("boo")
		}
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	s := open(t, r)
	send(t, s, numbered("echo", "boo"), numbered("echo", "a"))
	for _, want := range []string{"boo: the gateway failed.", "a."} {
		if got := next(t, s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
