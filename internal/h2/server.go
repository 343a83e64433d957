package h2

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ServerOptions are a server's limits. What is 0 has the value named.
type ServerOptions struct {
	// Streams is how many calls one connection may make at a time; more are refused with REFUSED_STREAM. 0: 100.
	Streams uint32
	// MaxMessage is the bytes of one message. A longer one ends its call with RESOURCE_EXHAUSTED. 0 or more than 2^31-1: 2^31-1.
	MaxMessage int
	// MaxHeaders is the bytes of a call's header list, as HTTP/2 counts them. A call with more ends with RESOURCE_EXHAUSTED. 0: 16384.
	MaxHeaders uint32
	// CallWindow and ConnWindow are the bytes that a client may send before it is told to go on. 0, or less than 65,535: 65,535.
	CallWindow, ConnWindow uint32
	// Hello is how long a new connection may take to speak HTTP/2, with the TLS handshake where there is one. 0: 10 s.
	Hello time.Duration
	// Pings is the least time between pings of a client that gets nothing else. One that asks more often, thrice, is sent away with
	// ENHANCE_YOUR_CALM and "too_many_pings". 0: any number.
	Pings time.Duration
	// Stall is how long one write, of at most 1 MiB, may wait for the client to read; its connection ends then. 0: 1 minute.
	Stall time.Duration
	// Early says of which methods the handler starts at the headers of a call, as it answers before there is a message. nil: of none.
	// The others' handlers start when the first message has come whole, or the client has sent all.
	Early func(method string) bool
	// Buffer gives memory of n bytes for a message, or a part of a long one; it need not be cleared. nil: of the heap.
	Buffer func(n int) Buffer
	// Log gets what no call can be told: panics. nil: nobody.
	Log *slog.Logger
}

// Buffer is the memory of one message. Who receives it calls Release once, and does not touch the bytes after.
type Buffer interface {
	Bytes() []byte
	Release()
}

// Server answers gRPC calls over HTTP/2. It is safe for concurrent use.
type Server struct {
	options ServerOptions
	handle  func(*ServerCall)

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
	stopping  bool
	group     sync.WaitGroup // of connections
}

// NewServer makes a server whose calls are answered by handle, each in a goroutine of its own. A call that handle has not ended when it returns, or that it
// panics in, ends with INTERNAL.
func NewServer(o ServerOptions, handle func(*ServerCall)) *Server {
	return &Server{options: o, handle: handle, listeners: map[net.Listener]struct{}{}, conns: map[*serverConn]struct{}{}}
}

// Serve accepts connections until Shutdown or Close, and closes l. After these it returns nil, else the error of l.
// A connection may be a *tls.Conn; the client then has to choose "h2" by ALPN.
func (s *Server) Serve(l net.Listener) error { return errors.ErrUnsupported }

// Shutdown closes the listeners, tells clients to go elsewhere, and waits for the calls under way. When ctx ends first, they are cut off, and the error is ctx's.
func (s *Server) Shutdown(ctx context.Context) error { return errors.ErrUnsupported }

// Close ends everything at once, and waits for its goroutines, handlers too.
func (s *Server) Close() {}
