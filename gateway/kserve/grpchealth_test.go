package kserve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

const (
	serving    = healthgrpc.HealthCheckResponse_SERVING
	notServing = healthgrpc.HealthCheckResponse_NOT_SERVING
)

func TestGRPCHealth(t *testing.T) {
	r := newRig(t, nil)
	client := healthgrpc.NewHealthClient(dial(t, r.serve(t, false)))
	ctx := call(t)
	check := func(service string) (healthgrpc.HealthCheckResponse_ServingStatus, error) {
		a, err := client.Check(ctx, &healthgrpc.HealthCheckRequest{Service: service})
		return a.GetStatus(), err
	}
	watch, err := client.Watch(ctx, &healthgrpc.HealthCheckRequest{Service: "inference.GRPCInferenceService"})
	if err != nil {
		t.Fatal(err)
	}
	told := func(want healthgrpc.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if a, err := watch.Recv(); err != nil || a.Status != want {
			t.Fatalf("watch: %v, %v; want %v", a, err, want)
		}
	}
	both := func(want healthgrpc.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "inference.GRPCInferenceService"} {
			if got, err := check(service); err != nil || got != want {
				t.Errorf("%q: %v, %v; want %v", service, got, err, want)
			}
		}
	}
	both(serving)
	told(serving)
	if _, err := check("other"); status.Code(err) != codes.NotFound {
		t.Errorf("another service: %v", err)
	}
	r.models.set(fault.New(fault.Unavailable, "backend_unavailable", "down"))
	both(notServing)
	told(notServing)
	r.models.set(nil)
	told(serving)
	r.Drain()
	both(notServing)
	told(notServing)
	if a, err := tritonpb.NewGRPCInferenceServiceClient(dial(t, r.serve(t, false))).ModelInfer(ctx, numbered("echo", "a")); err != nil {
		t.Errorf("while draining: %v, %v", a, err)
	}
	list, err := client.List(ctx, &healthgrpc.HealthListRequest{})
	if err != nil || len(list.Statuses) != 2 || list.Statuses[""].Status != notServing {
		t.Errorf("list: %v, %v", list, err)
	}
}

func TestShutdownLetsCallsEndAndOpenStreamsKnow(t *testing.T) {
	r := newRig(t, nil)
	started, gate := make(chan struct{}, 2), make(chan struct{})
	r.runner.pass = func(_ context.Context, q *backend.Request) (*pipeline.Passed, error) {
		started <- struct{}{}
		<-gate
		return &pipeline.Passed{Response: echo(q)}, nil
	}
	address := r.serve(t, false)
	client := tritonpb.NewGRPCInferenceServiceClient(dial(t, address))
	unary := make(chan error, 1)
	go func() { _, err := client.ModelInfer(call(t), numbered("echo", "a")); unary <- err }()
	s, err := client.ModelStreamInfer(call(t))
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, numbered("echo", "b"))
	<-started
	<-started
	down := make(chan error, 1)
	go func() { down <- r.Shutdown(call(t)) }()
	<-r.servers.stopping
	close(gate)
	if err := <-unary; err != nil {
		t.Errorf("a call under way: %v", err)
	}
	if got := next(t, s); got != "b." {
		t.Errorf("a request under way: %q", got)
	}
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("the stream ended with %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := r.ServeGRPC(must(net.Listen("tcp", "127.0.0.1:0")), false); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
}

func TestShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	r := newRig(t, nil)
	started := make(chan struct{})
	r.runner.pass = func(ctx context.Context, _ *backend.Request) (*pipeline.Passed, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	client := r.client(t)
	unary := make(chan error, 1)
	go func() { _, err := client.ModelInfer(call(t), numbered("echo", "a")); unary <- err }()
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-unary; err == nil {
		t.Error("the call was answered")
	}
}

func TestGRPCBehindAnHTTPServer(t *testing.T) {
	r := newRig(t, nil)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	server := &http.Server{Handler: r.GRPCHandler(true), Protocols: protocols, ReadHeaderTimeout: time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	conn := dial(t, l.Addr().String())
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	big := raw(ask(input("IN", "UINT8", 300_000)), make([]byte, 300_000))
	if a, err := client.ModelInfer(call(t), big); err != nil || len(a.RawOutputContents[0]) != 300_000 {
		t.Errorf("infer: %v", err)
	}
	if _, err := client.RepositoryModelLoad(call(t), &tritonpb.RepositoryModelLoadRequest{ModelName: "echo"}); err != nil {
		t.Errorf("load: %v", err)
	}
	s, err := client.ModelStreamInfer(call(t))
	if err != nil {
		t.Fatal(err)
	}
	send(t, s, numbered("echo", "a"))
	if got := next(t, s); got != "a." {
		t.Errorf("stream: %q", got)
	}
	if err := r.Shutdown(call(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	_ = conn.Close()
	if err := server.Shutdown(call(t)); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
