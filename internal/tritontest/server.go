// Package tritontest is a KServe v2 gRPC server in this process that behaves like Triton where it matters, and misbehaves on
// demand: delays, errors with Triton's texts, connections cut in the middle of a call, answers that break the contract, models that are
// loaded anew. It exists because a real Triton cannot be told to fail at a given moment.
package tritontest

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// Server is the fake. All methods are safe for concurrent use.
type Server struct {
	tritonpb.UnimplementedGRPCInferenceServiceServer
	tb       testing.TB
	settings settings

	mu      sync.Mutex
	addr    string
	grpc    *grpc.Server
	conns   map[*conn]bool
	models  map[string]*model
	faults  []*Fault
	headers []string
	stopped bool
	calls   []Call        // the last ones
	hung    chan struct{} // closed when the hanging ends; nil while it answers
	unready bool
	loads   map[string]*control
}

type settings struct {
	tls       *tls.Config
	address   string
	noStats   bool
	noControl bool
}

// Option changes a Server.
type Option func(*settings)

// WithTLS serves TLS.
func WithTLS(c *tls.Config) Option { return func(s *settings) { s.tls = c } }

// WithAddr listens on an address instead of a free port of 127.0.0.1.
func WithAddr(address string) Option { return func(s *settings) { s.address = address } }

// WithoutStatistics answers ModelStatistics with UNIMPLEMENTED, as other servers of the protocol do.
func WithoutStatistics() Option { return func(s *settings) { s.noStats = true } }

// New starts a server without models. It ends with the test.
func New(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s := &Server{tb: tb, models: map[string]*model{}, loads: map[string]*control{}}
	for _, option := range options {
		option(&s.settings)
	}
	if s.addr = s.settings.address; s.addr == "" {
		s.addr = parts.FreeAddr(tb) // nobody else is given its port between Kill and Start
	}
	s.Start()
	tb.Cleanup(s.Kill)
	return s
}

// Addr is host:port. It stays the same over Kill and Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Start listens again after Kill, as a new process would: every counter starts at zero.
func (s *Server) Start() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.tb.Fatalf("tritontest: %v", err)
	}
	s.addr = listener.Addr().String()
	s.conns = map[*conn]bool{}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(1<<31 - 1), grpc.MaxSendMsgSize(1<<31 - 1)}
	if s.settings.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.settings.tls)))
	}
	s.grpc = grpc.NewServer(options...)
	tritonpb.RegisterGRPCInferenceServiceServer(s.grpc, s)
	for _, m := range s.models {
		m.load()
	}
	s.stopped = false
	if s.hung != nil {
		close(s.hung)
		s.hung = nil
	}
	server := s.grpc
	go func() { _ = server.Serve(&listenerOf{Listener: listener, server: s}) }()
}

// Kill ends the server as kill -9 would: the port closes and every connection breaks, whatever runs on it.
func (s *Server) Kill() {
	s.mu.Lock()
	server, stopped := s.grpc, s.stopped
	s.stopped = true
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	if stopped {
		return
	}
	for _, c := range conns {
		c.reset()
	}
	server.Stop()
}

// Cut breaks every connection and goes on listening.
func (s *Server) Cut() {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// Headers gives the values of the header x-test over all inferences so far, in order.
func (s *Server) Headers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.headers)
}

// Func computes a model's outputs. An error becomes INTERNAL, as an exception in a model does.
type Func func(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error)
