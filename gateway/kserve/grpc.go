package kserve

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"triton-gateway/internal/edge"
	"triton-gateway/internal/h2"
	"triton-gateway/tritonpb"
)

const (
	// quietPings lets clients ask as often as every ten seconds whether a connection still lives, also while no call is under way: Triton's default.
	quietPings = 10 * time.Second
	// quietFor is how long a connection without calls is kept; its client is told to go, and comes again when it has one.
	quietFor = 10 * time.Minute
	// connectWithin is how long a new connection may take to speak HTTP/2.
	connectWithin = 10 * time.Second
	maxHeaderList = 64 << 10 // bytes of a call's metadata

	writeBuffer = 128 << 10
	readBuffer  = 64 << 10
	// callWindow and connWindow are what a client may send before it is told to go on: a tensor of a usual size arrives in one go, and calls whose bodies
	// nobody reads yet hold no more than connWindow on one connection.
	callWindow = 1 << 20
	connWindow = 4 << 20
)

// servers are the gRPC servers that run, and how far their end has come.
type servers struct {
	draining  chan struct{} // closed: health says no
	stopping  chan struct{} // closed: no more requests are taken on open streams
	drainOnce sync.Once
	stopOnce  sync.Once

	mu      sync.Mutex
	list    []*h2.Server   // of listeners
	behind  []*grpc.Server // behind an http.Handler
	stopped bool
}

// ServeGRPC serves gRPC on a listener until Shutdown, and closes it. It returns nil after Shutdown. With admin, callers may load and unload models.
func (s *Server) ServeGRPC(l net.Listener, admin bool) error {
	f := s.newFront(admin)
	g := h2.NewServer(h2.ServerOptions{
		Streams: s.Limits.Streams, MaxMessage: f.limit, MaxHeaders: maxHeaderList,
		CallWindow: callWindow, ConnWindow: connWindow,
		Hello: connectWithin, Pings: quietPings,
		Rate: max(s.Limits.Rate, 1), Stall: edge.Slack, Idle: quietFor, Memory: s.Limits.Coming, Cut: s.Cut.Add,
		Admit:  f.enter,
		Early:  f.early,
		Glance: f.glance,
		Buffer: func(n int) h2.Buffer { return s.buffers.get(n) },
		Log:    s.Log,
	}, f.serve)
	s.servers.mu.Lock()
	if s.servers.stopped {
		s.servers.mu.Unlock()
		return l.Close()
	}
	s.servers.list = append(s.servers.list, g)
	s.servers.mu.Unlock()
	return g.Serve(l)
}

// GRPCHandler serves gRPC on an HTTP server that speaks HTTP/2. Calls under way when that server shuts down are its to wait for; Shutdown ends their streams.
func (s *Server) GRPCHandler(admin bool) http.Handler {
	g := s.newGRPC(admin)
	s.servers.mu.Lock()
	defer s.servers.mu.Unlock()
	s.servers.behind = append(s.servers.behind, g)
	return s.gated(g, admin)
}

func (s *Server) newGRPC(admin bool) *grpc.Server {
	calls := &calls{Server: s, admin: admin}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{&s.buffers}),
		grpc.MaxRecvMsgSize(messageLimit(s.Limits.Message)),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(s.Limits.Streams),
		grpc.MaxHeaderListSize(maxHeaderList),
		grpc.ConnectionTimeout(connectWithin),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: quietPings, PermitWithoutStream: true}),
		grpc.ReadBufferSize(readBuffer), grpc.WriteBufferSize(writeBuffer),
		grpc.StaticStreamWindowSize(callWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.UnaryInterceptor(calls.unary),
	}
	if s.Trace != nil {
		options = append(options, grpc.StreamInterceptor(s.traced))
	}
	g := grpc.NewServer(options...)
	g.RegisterService(service(), calls)
	healthgrpc.RegisterHealthServer(g, &health{Server: s})
	return g
}

func messageLimit(limit int64) int {
	if limit <= 0 || limit > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit)
}

// service is GRPCInferenceService, with handlers of our own for the two calls that carry tensors and for the config, which is kept as bytes.
func service() *grpc.ServiceDesc {
	generated := &tritonpb.GRPCInferenceService_ServiceDesc
	d := &grpc.ServiceDesc{ServiceName: generated.ServiceName, HandlerType: generated.HandlerType, Metadata: generated.Metadata}
	for _, m := range generated.Methods {
		switch m.MethodName {
		case "ModelInfer":
			continue
		case "ModelConfig":
			m.Handler = modelConfig
		}
		d.Methods = append(d.Methods, m)
	}
	// ClientStreams lets the handler answer without waiting for the end of the caller's side.
	d.Streams = []grpc.StreamDesc{
		{StreamName: "ModelInfer", Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*calls).modelInfer(stream) }, ClientStreams: true},
		{StreamName: "ModelStreamInfer", Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*calls).modelStreamInfer(stream) }, ClientStreams: true, ServerStreams: true},
	}
	return d
}

// Drain makes health and readiness say no, so that balancers send no more. Calls go on being served.
func (s *Server) Drain() {
	s.servers.drainOnce.Do(func() { close(s.servers.draining) })
}

// isDraining reports whether Drain was called.
func (s *Server) isDraining() bool {
	select {
	case <-s.servers.draining:
		return true
	default:
		return false
	}
}

// Shutdown tells clients to go elsewhere, lets the calls under way end, and stops. On streams, requests that have come are answered, then the stream
// ends with UNAVAILABLE. When ctx ends first, what still runs is cut off, and the error is ctx's.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.servers.stopOnce.Do(func() { close(s.servers.stopping) })
	s.servers.mu.Lock()
	s.servers.stopped = true
	list, behind := s.servers.list, s.servers.behind
	s.servers.list, s.servers.behind = nil, nil
	s.servers.mu.Unlock()

	var ends sync.WaitGroup
	errs := make([]error, len(list))
	for i, g := range list {
		ends.Go(func() { errs[i] = g.Shutdown(ctx) })
	}
	ends.Wait()
	for _, g := range behind { // GracefulStop cannot tell an http.Server's clients to go
		g.Stop()
	}
	return errors.Join(errs...)
}
