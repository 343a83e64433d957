package kserve

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
)

type spanKey struct{}

// spans notes the calls that Trace was asked for.
type spans struct {
	mu     sync.Mutex
	begun  []string        // method and traceparent
	ended  chan codes.Code // has room for what a test makes; a call may end after its answer has come
	untold bool            // give no end
}

func (s *spans) trace(ctx context.Context, method string, header func(string) string) (context.Context, func(Code, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = append(s.begun, method+" "+header("traceparent")+header("tracestate"))
	if s.untold {
		return ctx, nil
	}
	return context.WithValue(ctx, spanKey{}, "here"), func(code Code, _ string) {
		s.ended <- codes.Code(code.GRPC)
	}
}

func TestCallsWithTensorsAreTraced(t *testing.T) {
	told := &spans{ended: make(chan codes.Code, 8)}
	r := newRig(t, func(d *Deps) { d.Trace = told.trace })
	var under any
	r.runner.pass = func(ctx context.Context, q *backend.Request) (*pipeline.Passed, error) {
		under = ctx.Value(spanKey{})
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	client := r.client(t)
	ctx := metadata.AppendToOutgoingContext(call(t), "traceparent", "00-a-b-01")
	request := raw(ask(input("IN", "FP32", 1)), make([]byte, 4))
	if _, err := client.ModelInfer(ctx, request); err != nil {
		t.Fatal(err)
	}
	if under != "here" {
		t.Error("the pipeline is not under the span")
	}
	request.ModelName = "nope"
	if _, err := client.ModelInfer(metadata.AppendToOutgoingContext(ctx, "traceparent", "another"), request); err == nil {
		t.Fatal("an unknown model answered")
	}
	told.mu.Lock()
	if len(told.begun) != 2 || told.begun[0] != "ModelInfer 00-a-b-01" || told.begun[1] != "ModelInfer " { // two contexts are none
		t.Errorf("%q", told.begun)
	}
	if first, second := <-told.ended, <-told.ended; first != codes.OK || second != codes.NotFound {
		t.Errorf("%v, then %v", first, second)
	}
	told.untold = true
	told.mu.Unlock()
	request.ModelName = "echo"
	if _, err := client.ModelInfer(ctx, request); err != nil || under != nil {
		t.Errorf("untraced: %v, %v", err, under)
	}
}
