package h2

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/edge"
)

// ServerOptions are a server's limits. What is 0 has the value named.
type ServerOptions struct {
	// Streams is how many calls one connection may make at a time; more are refused with REFUSED_STREAM. A call given up counts until its handler has
	// returned. 0: 100.
	Streams uint32
	// MaxMessage is the bytes of one message. A longer one ends its call with RESOURCE_EXHAUSTED. 0 or more than 2^31-1: 2^31-1.
	MaxMessage int
	// MaxHeaders is the bytes of a call's header list, as HTTP/2 counts them. A call with more ends with RESOURCE_EXHAUSTED. 0: 16,384; at most 2^20.
	MaxHeaders uint32
	// CallWindow and ConnWindow are the bytes that a client may send before it is told to go on. Less than 65,535: 65,535; at most 2^31-1.
	CallWindow, ConnWindow uint32
	// Hello is how long a new connection may take to speak HTTP/2, with the TLS handshake where there is one. 0: 10 s.
	Hello time.Duration
	// Pings is the least time between pings of a client that gets nothing else. One that asks more often, thrice, is sent away with
	// ENHANCE_YOUR_CALM and "too_many_pings". 0: any number.
	Pings time.Duration
	// Stall is how long one write, of at most 1 MiB, may wait for the client to read beyond what Rate gives it; its connection ends then. 0: 1 minute.
	Stall time.Duration
	// Rate is the least at which messages have to come, and answers have to be taken by flow control, in bytes a second, with the times of package edge: a call
	// below ends. 0: calls may take any time.
	Rate edge.Rate
	// Idle is how long a connection without calls is kept; then it is told to go. 0: for ever.
	Idle time.Duration
	// Memory is the bytes of all messages that are coming at one time. A call beyond it ends with RESOURCE_EXHAUSTED. 0: any number.
	Memory int64
	// Cut hears why a call or a connection was cut off. May be nil.
	Cut func(edge.Reason)
	// Admit is asked about a call of which only the headers have come; see Head. It gives the context that the call's own is made under, nil for none, or the status
	// that the call ends with, of which nothing more is read then. It is called while the connection is read, so it must not wait; soon has the handler start at once,
	// before there is a message, so that it can. nil: all are let in.
	Admit func(h Head) (under context.Context, soon bool, refused *Status)
	// Early says of which methods the handler starts at the headers of a call, as it may answer before there is a message. nil: of none.
	// The others' handlers start when the first message has come whole, or the client has sent all.
	Early func(method string) bool
	// Glance sees the beginning of a call's first message, which has size bytes, when it is longer than GlanceFrom and its handler has not begun: a call that
	// would be turned away for it ends then, with the status and the trailer, and the rest is not read. It is called while the connection is read, so it must
	// not wait. first is valid until it returns, and is as long as what has come. A compressed message is not looked at. nil: none is.
	Glance func(call *ServerCall, first []byte, size int) (*Status, []Field)
	// GlanceFrom is in bytes. 0: 65,536, which a client may send before it hears from the server anyway.
	GlanceFrom int
	// Buffer gives memory of n bytes for a message, or for the first part of a long one; it need not be cleared. nil: of the heap.
	Buffer func(n int) Buffer
	// Log gets what no call can be told: panics. nil: nobody.
	Log *slog.Logger

	coming *atomic.Int64 // bytes of memory of messages that are coming
}

// Buffer is the memory of one message. Who receives it calls Release once, and does not touch the bytes after.
type Buffer interface {
	Bytes() []byte
	Release()
}

type heapBuffer []byte

func (b heapBuffer) Bytes() []byte { return b }
func (heapBuffer) Release()        {}

func (o ServerOptions) filled() ServerOptions {
	if o.Streams == 0 {
		o.Streams = 100
	}
	if o.MaxMessage <= 0 || o.MaxMessage > math.MaxInt32 {
		o.MaxMessage = math.MaxInt32
	}
	if o.MaxHeaders == 0 {
		o.MaxHeaders = maxHeaders
	}
	o.MaxHeaders = min(o.MaxHeaders, 1<<20)
	o.CallWindow = min(max(o.CallWindow, firstWindow), maxWindow)
	o.ConnWindow = min(max(o.ConnWindow, firstWindow), maxWindow)
	if o.Hello <= 0 {
		o.Hello = 10 * time.Second
	}
	if o.Stall <= 0 {
		o.Stall = time.Minute
	}
	if o.Early == nil {
		o.Early = func(string) bool { return false }
	}
	if o.GlanceFrom <= 0 {
		o.GlanceFrom = 1 << 16
	}
	if o.Buffer == nil {
		o.Buffer = func(n int) Buffer { return make(heapBuffer, n) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Memory <= 0 {
		o.Memory = math.MaxInt64
	}
	if o.Cut == nil {
		o.Cut = func(edge.Reason) {}
	}
	o.coming = new(atomic.Int64)
	return o
}

// Server answers gRPC calls over HTTP/2. It is safe for concurrent use.
type Server struct {
	options ServerOptions
	handle  func(*ServerCall)

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
	stopping  bool
	watched   bool
	ended     chan struct{}  // closed by the first stop
	gone      chan struct{}  // has one place; something is put in when a connection has ended
	group     sync.WaitGroup // every goroutine of the connections
}

// NewServer makes a server whose calls are answered by handle, each in a goroutine that does nothing else meanwhile. A call that handle has not ended when it
// returns, or that it panics in, ends with INTERNAL.
func NewServer(o ServerOptions, handle func(*ServerCall)) *Server {
	return &Server{options: o.filled(), handle: handle, listeners: map[net.Listener]struct{}{}, conns: map[*serverConn]struct{}{}, ended: make(chan struct{}), gone: make(chan struct{}, 1)}
}

// Serve accepts connections until Shutdown or Close, and closes l. After these it returns nil, else the error of l.
// A connection may be a *tls.Conn; the client then has to choose "h2" by ALPN.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = struct{}{}
	if !s.watched && (s.options.Rate > 0 || s.options.Idle > 0) {
		s.watched = true
		s.group.Go(s.watch)
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.welcome(nc)
			continue
		}
		s.mu.Lock()
		stopping := s.stopping
		s.mu.Unlock()
		var passing interface{ Temporary() bool }
		switch {
		case stopping:
			return nil
		case !errors.As(err, &passing) || !passing.Temporary():
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second) // as with no file descriptors left
		time.Sleep(pause)
	}
}

func (s *Server) welcome(nc net.Conn) {
	c := newServerConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.group.Go(c.serve)
}

// left forgets a connection that has ended.
func (s *Server) left(c *serverConn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	select {
	case s.gone <- struct{}{}:
	default:
	}
}

// stop lets nothing new in, and gives the connections that are there.
func (s *Server) stop() []*serverConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		close(s.ended)
	}
	s.stopping = true
	for l := range s.listeners {
		_ = l.Close()
	}
	list := make([]*serverConn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// Shutdown closes the listeners, tells clients to go elsewhere, and waits for the calls under way. When ctx ends first, they are cut off, and the error is ctx's.
// At its return no goroutine of the server runs, so it waits for handlers even then.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.drain()
	}
	for {
		s.mu.Lock()
		left := len(s.conns)
		s.mu.Unlock()
		if left == 0 {
			break
		}
		select {
		case <-s.gone:
		case <-ctx.Done():
			s.Close()
			return ctx.Err()
		}
	}
	s.group.Wait()
	return nil
}

// Close ends everything at once, and waits for its goroutines, handlers too.
func (s *Server) Close() {
	for _, c := range s.stop() {
		c.fail(ErrClosed)
	}
	s.group.Wait()
}
