package triton

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/h2"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// counted counts connections.
type counted struct {
	net.Listener
	accepted atomic.Int64
}

func (l *counted) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return nc, err
}

// serving puts a fake behind a server with options of its own.
func serving(t *testing.T, s *tritontest.Server, options ...grpc.ServerOption) (*grpc.Server, *counted) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &counted{Listener: listener}
	server := grpc.NewServer(append(options, grpc.MaxRecvMsgSize(1<<30))...)
	tritonpb.RegisterGRPCInferenceServiceServer(server, s)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return server, l
}

// TestAServerThatSendsItsCallersAway ends each connection by GOAWAY after a few calls; none of those fails, and none is made twice.
func TestAServerThatSendsItsCallersAway(t *testing.T) {
	s := fake(t)
	_, l := serving(t, s, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 20 * time.Millisecond, MaxConnectionAgeGrace: time.Minute}))
	c := clientOf(t, l.Addr().String())
	f := underLoad(t, c, "m", 8, time.Minute)
	until(t, "several connections", time.Minute, func() bool { return l.accepted.Load() > 10 })
	f.stop()
	until(t, "the calls have ended", time.Minute, func() bool { return c.Endpoints()[0].Running == 0 })
	if f.errors.Load() != 0 {
		t.Errorf("%d of %d calls failed; the last: %v", f.errors.Load(), f.calls.Load(), f.last.Load())
	}
	if n := int64(s.Calls("m")); n > f.calls.Load()+8 {
		t.Errorf("%d calls of the model for %d", n, f.calls.Load())
	}
	if e := c.Endpoints()[0]; e.Retries != 0 || e.Failures != 0 {
		t.Errorf("got %+v", e)
	}
}

// TestWhatWasNotSentIsSentAnew, over a fresh connection, where the one at hand has just been given up.
func TestWhatWasNotSentIsSentAnew(t *testing.T) {
	s := fake(t)
	e := clientOf(t, s.Addr()).list()[0]
	conn, err := e.link.get(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	conn.Drain()
	request, _ := newInferRequest(requestOf("m", 1))
	body, _ := request.marshal()
	var answer inferResponse
	if told, err := e.invoke(t.Context(), conn, time.Minute, body, &answer); err != nil || !told || answer.model != "m" || s.Calls("m") != 1 {
		t.Errorf("%+v, answered %t, %v", answer, told, err)
	}
	s.Kill()
	<-e.link.conn.Load().Done()
	if _, err := e.invoke(t.Context(), conn, time.Minute, body, &answer); !errors.Is(err, h2.ErrConn) {
		t.Errorf("got %v", err)
	}
}

// TestOneOfTwoIsStoppedWell: what runs there ends there.
func TestOneOfTwoIsStoppedWell(t *testing.T) {
	a, b := fake(t), fake(t)
	g := newGate()
	a.Model("m", g.model)
	server, l := serving(t, a)
	c := clientOf(t, l.Addr().String(), b.Addr())
	c.eject(c.list()[1], "not now")
	got := make(chan error, 1)
	go func() { _, err := c.Infer(t.Context(), requestOf("m", 1)); got <- err }()
	<-g.came
	serves(t, c, 1, true)
	stopped := make(chan struct{})
	go func() { server.GracefulStop(); close(stopped) }()
	until(t, "it says that it goes", time.Minute, func() bool { return !c.list()[0].link.stands() })
	for range 20 {
		must(t, c, requestOf("m", 1))
	}
	if err := c.list()[0].link.conn.Load().Err(); err == nil || len(got) != 0 {
		t.Errorf("the connection: %v; %d calls ended", err, len(got))
	}
	g.leave <- struct{}{}
	<-stopped
	if err := <-got; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
}

// TestAServerWithFewStreams: more callers than it takes at a time wait for each other.
func TestAServerWithFewStreams(t *testing.T) {
	for name, options := range map[string][]grpc.ServerOption{"two": {grpc.MaxConcurrentStreams(2)}, "as many as there are": nil} {
		t.Run(name, func(t *testing.T) {
			s := fake(t)
			_, l := serving(t, s, options...)
			c := client(t, Config{Endpoints: []string{l.Addr().String()}, Queue: 100}, Deps{})
			var wait sync.WaitGroup
			for i := range 64 {
				wait.Go(func() {
					for j := range 20 {
						want := floats("IN", float32(i), float32(j))
						got, err := c.Infer(t.Context(), &backend.Request{Model: "m", Version: "1", Inputs: []tensor.Tensor{want}})
						if err != nil || !slices.Equal(got.Outputs[0].Data, want.Data) {
							t.Errorf("call %d of %d: %v, %v", j, i, got, err)
							return
						}
					}
				})
			}
			wait.Wait()
			if s.Calls("m") != 64*20 || l.accepted.Load() != 1 {
				t.Errorf("%d calls on %d connections", s.Calls("m"), l.accepted.Load())
			}
		})
	}
}

func TestALargeTensorThereAndBack(t *testing.T) {
	s := fake(t)
	_, l := serving(t, s, grpc.InitialWindowSize(1<<16), grpc.InitialConnWindowSize(1<<17)) // so that it takes many turns
	c := clientOf(t, l.Addr().String())
	r := &backend.Request{Model: "m", Version: "1", Inputs: []tensor.Tensor{{Name: "IN", DType: tensor.Uint8, Shape: []int64{20 << 20}, Data: make([]byte, 20<<20)}}}
	for i := range r.Inputs[0].Data {
		r.Inputs[0].Data[i] = byte(i * 31 >> 3)
	}
	for range 2 {
		if got := must(t, c, r); !slices.Equal(got.Outputs[0].Data, r.Inputs[0].Data) {
			t.Error("other bytes came back")
		}
	}
}

// TestWhatBreaksOffIsTold: a call of a sequence is not made twice, so that its error is the first's.
func TestWhatBreaksOffIsTold(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	r := requestOf("m", 1)
	r.Params = map[string]any{"sequence_id": int64(5)}
	s.Fail(tritontest.Fault{Cut: true, After: true, Times: 1})
	_, err := c.Infer(t.Context(), r)
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	if !errors.Is(err, h2.ErrBroken) || errors.Is(err, h2.ErrConn) {
		t.Errorf("it may have run: %v", err)
	}
	if now := c.list()[0].calls.of("m", "1").read(); now != (tally{started: 1, unknown: 1}) {
		t.Errorf("got %+v", now)
	}
	must(t, c, r)
}

func TestAnAnswerThatIsTooLarge(t *testing.T) {
	s := fake(t)
	c := client(t, Config{Endpoints: []string{s.Addr()}, MaxMessage: 1000}, Deps{})
	_, err := c.Infer(t.Context(), requestOf("m", make([]float32, 1000)...))
	f := wantFault(t, err, fault.Internal, "internal")
	if status.Code(f) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
	if now := c.list()[0].calls.of("m", "1").read(); now.unknown != 1 { // the model has run
		t.Errorf("got %+v", now)
	}
	must(t, c, requestOf("m", 1))
}

func TestWhatIsSentWithACall(t *testing.T) {
	s := fake(t)
	c := client(t, Config{Endpoints: []string{s.Addr()}, Headers: map[string]string{"X-Fixed": " one ", "x-fixed-bin": "\x00\xff", "Content-Type": "text/plain", "grpc-timeout": "1n", "te": "x", ":path": "/"}},
		Deps{Outgoing: func(context.Context) map[string]string { return map[string]string{"Traceparent": "00-1-2-01"} }})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-own", "a", "x-own", "b", "x-own-bin", "\x01\x02\x03", "user-agent", "me")
	if _, err := c.Infer(ctx, requestOf("m", 1)); err != nil {
		t.Fatal(err)
	}
	got := s.Last()
	for name, want := range map[string][]string{"x-fixed": {"one"}, "x-fixed-bin": {"\x00\xff"}, "traceparent": {"00-1-2-01"}, "x-own": {"a", "b"}, "x-own-bin": {"\x01\x02\x03"},
		"user-agent": {userAgent}, "content-type": {"application/grpc+proto"}, ":authority": {s.Addr()}} {
		if !slices.Equal(got.Metadata.Get(name), want) {
			t.Errorf("%s: %q, want %q", name, got.Metadata.Get(name), want)
		}
	}
	if got.Left != 0 {
		t.Error("a deadline where there was none")
	}
	_, err := c.Infer(metadata.AppendToOutgoingContext(t.Context(), "x-bad", "a\nb"), requestOf("m", 1))
	wantFault(t, err, fault.Internal, "internal")
	if s.Calls("m") != 1 || c.Endpoints()[0].Failures != 0 {
		t.Error("a header that cannot be sent was, or is the server's fault")
	}
}

func TestFieldsOfEveryCallAreMadeOnce(t *testing.T) {
	e := &endpoint{fixed: []h2.Field{{Name: "a", Value: "b"}}, extra: func(context.Context) map[string]string { return nil }}
	if n := testing.AllocsPerRun(100, func() { e.fields(t.Context()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestStatusOfACall: what an error of the connection is as a gRPC status, and who said it.
func TestStatusOfACall(t *testing.T) {
	conn, err := clientOf(t, fake(t).Addr()).list()[0].link.get(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		err      error
		code     codes.Code
		answered bool
		unrun    bool
		effect   effect
		where    elsewhere
	}{
		{&h2.Status{Code: 5, Message: "Request for unknown model"}, codes.NotFound, true, false, answered, never},
		{&h2.Status{Code: 14, Message: tritontest.QueueFull}, codes.Unavailable, true, false, crowded, onOther},
		{&h2.Status{Code: 14, Message: "HTTP status 503", HTTP: 503}, codes.Unavailable, false, false, broken, anywhere},
		{&h2.Status{Code: 12, Message: "HTTP status 404", HTTP: 404}, codes.Unimplemented, false, false, answered, never},
		{&h2.Status{Code: 8, Message: "larger than max (9)"}, codes.ResourceExhausted, false, false, answered, never},
		{&h2.Status{Code: 99, Message: "odd"}, codes.Code(99), true, false, answered, never},
		{fmt.Errorf("h2: x: %w", context.Canceled), codes.Canceled, false, false, answered, never},
		{fmt.Errorf("h2: x: %w", context.DeadlineExceeded), codes.DeadlineExceeded, false, false, late, never},
		{fmt.Errorf("%w: a header", h2.ErrRequest), codes.Internal, false, false, answered, never},
		{fmt.Errorf("%w: GOAWAY", h2.ErrConn), codes.Unavailable, false, true, broken, anywhere},
		{&h2.Reset{Code: h2.CodeRefused}, codes.Unavailable, false, true, broken, anywhere},
		{&h2.Reset{Code: h2.CodeCancel}, codes.Canceled, false, false, answered, never},
		{&h2.Reset{Code: h2.CodeProtocol}, codes.Internal, false, false, failed, never},
		{fmt.Errorf("%w: no status", h2.ErrBroken), codes.Internal, false, false, failed, never},
	} {
		told, err := statusError(conn, x.err)
		what, where := judged(t.Context(), err, told)
		if status.Code(err) != x.code || told != x.answered || errors.Is(err, h2.ErrConn) != x.unrun || what != x.effect || where != x.where {
			t.Errorf("%v: %v, answered %t, not run %t, effect %d and elsewhere %d", x.err, err, told, errors.Is(err, h2.ErrConn), what, where)
		}
	}
	_, err = statusError(conn, h2.ErrConn)
	if got := outcomeOf(err, false); got != refused {
		t.Errorf("what was not sent is counted as %d", got)
	}
	conn.Close()
	if _, err := statusError(conn, fmt.Errorf("%w: EOF", h2.ErrBroken)); status.Code(err) != codes.Unavailable || !errors.Is(err, h2.ErrBroken) {
		t.Errorf("a lost connection is %v", err)
	}
}
