package triton

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/h2"
)

// link is the connection that inference takes to one endpoint: at most one that takes new calls, dialed when a call needs it. Nobody dials between
// calls, so there is no backoff: a caller who finds no connection has one attempt made, or waits for the one under way, and is told of its end.
type link struct {
	dial func(context.Context) (*h2.Conn, error)
	conn atomic.Pointer[h2.Conn]

	stopped context.Context // ends with close
	stop    context.CancelFunc
	group   sync.WaitGroup

	mu      sync.Mutex
	attempt *attempt   // under way; nil: none is
	failed  bool       // the last attempt has
	conns   []*h2.Conn // all that may still have calls
}

// attempt is one try to connect. conn and err are set when done is closed.
type attempt struct {
	done  chan struct{}
	again bool // the one before has failed
	conn  *h2.Conn
	err   error
}

func newLink(dial func(context.Context) (*h2.Conn, error)) *link {
	l := &link{dial: dial}
	l.stopped, l.stop = context.WithCancel(context.Background())
	return l
}

// get gives the connection. Where there is none, it waits for one attempt; for no longer than wait where the one before has failed. The error is a *lost.
func (l *link) get(ctx context.Context, wait time.Duration) (*h2.Conn, error) {
	if c := l.conn.Load(); c != nil && c.Err() == nil {
		return c, nil
	}
	a := l.try()
	late := (<-chan time.Time)(nil)
	if a.again {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	err := error(nil)
	select {
	case <-a.done:
		if err = a.err; err == nil {
			return a.conn, nil
		}
	case <-late:
		err = errDialing
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, &lost{noConnection, fmt.Errorf("%w: %v", h2.ErrConn, err)} // a timeout of dialing is none of the caller's
}

var errDialing = errors.New("connecting takes too long")

// try gives the attempt under way, and begins one where there is none.
func (l *link) try() *attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempt != nil {
		return l.attempt
	}
	a := &attempt{done: make(chan struct{}), again: l.failed}
	switch c := l.conn.Load(); {
	case l.stopped.Err() != nil:
		a.err = h2.ErrClosed
		close(a.done)
	case c != nil && c.Err() == nil: // another caller's attempt has just succeeded
		a.conn = c
		close(a.done)
	default:
		l.attempt = a
		l.group.Go(func() { l.run(a) })
	}
	return a
}

func (l *link) run(a *attempt) {
	ctx, cancel := context.WithTimeout(l.stopped, dialTimeout)
	defer cancel()
	a.conn, a.err = l.dial(ctx)
	l.mu.Lock()
	l.attempt, l.failed = nil, a.err != nil
	standing := l.conns[:0]
	for _, c := range l.conns {
		select {
		case <-c.Done():
		default:
			standing = append(standing, c)
		}
	}
	clear(l.conns[len(standing):])
	l.conns = standing
	if a.conn != nil {
		l.conns = append(l.conns, a.conn)
		l.conn.Store(a.conn)
	}
	l.mu.Unlock()
	close(a.done)
}

// stands reports whether calls can be made at once, and down that the last attempt to connect has failed.
func (l *link) stands() bool {
	c := l.conn.Load()
	return c != nil && c.Stands()
}

func (l *link) down() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// renew has the next call connect anew. What runs may end by itself.
func (l *link) renew() {
	if c := l.conn.Load(); c != nil {
		c.Drain()
	}
}

// close ends the calls and the attempt under way.
func (l *link) close() {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	l.group.Wait()
	for _, c := range l.conns { // nobody adds any more
		c.Close()
	}
}

// connect dials for the link, with the options that grpc sets too: TCP finds a peer that is gone, for there are no pings.
func (e *endpoint) connect(ctx context.Context) (*h2.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", e.address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	boundSilence(nc, pingTimeout)
	o := h2.Options{Authority: e.address, UserAgent: userAgent, MaxAnswer: e.largest, TLS: e.secure != nil}
	if o.TLS {
		o.Authority = e.authority
		secure := tls.Client(nc, e.secure)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		if p := secure.ConnectionState().NegotiatedProtocol; p != "h2" {
			_ = nc.Close()
			return nil, fmt.Errorf("TLS: the server chose protocol %q, not h2", p)
		}
		nc = secure
	}
	conn, err := h2.New(ctx, nc, o)
	if err != nil {
		return nil, err
	}
	e.connected()
	return conn, nil
}

// connected counts a connection of the link among the dials, where it tells something that they do not say yet: another server may be behind it if there was one
// before, and no look has had to connect since.
func (e *endpoint) connected() {
	if had := e.linked; had != 0 {
		e.dials.CompareAndSwap(had-1, had)
	}
	e.linked = e.dials.Load() + 1
}

// noConnection is the public text of a call that found none.
const noConnection = "connection refused or timed out"

// lost is the end of a call that found no connection, or lost it. It is a gRPC status, UNAVAILABLE, so that the same table says what it means; that the server can not have
// run the call is told by h2.ErrConn in its chain.
type lost struct {
	text string
	err  error
}

// Error has the cause, for the log.
func (l *lost) Error() string { return l.text + ": " + l.err.Error() }

// Unwrap gives the cause.
func (l *lost) Unwrap() error { return l.err }

// GRPCStatus makes status.FromError and status.Code see it. What the other side said is not in it, so that it is not taken for Triton's words.
func (l *lost) GRPCStatus() *status.Status { return status.New(codes.Unavailable, l.text) }
