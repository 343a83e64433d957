package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"

	"triton-gateway/internal/edge"
)

// parting is how long a connection waits, after its last frame, for the client to close it: a close with bytes unread would make the client lose what it
// was told last.
const parting = 250 * time.Millisecond

// helloBuffer is what a connection reads into until it makes a call: many do not.
const helloBuffer = 8 << 10

// serverConn is one connection of a client.
//
// One goroutine at a time leads: it reads frames until there is a call to answer, and answers it itself. The reading goes on in another goroutine at once where
// calls overlap, else after patience; see lead.
type serverConn struct {
	server  *Server
	options *ServerOptions
	nc      net.Conn
	raw     syscall.RawConn // nil where bytes cannot be written past nc, as with TLS

	writing writeLock // the write lock: who has put something in may write, and use out
	out     serverOut

	// What only the leader uses.
	in       source
	decoder  *hpack.Decoder
	fields   requestFields
	window   int64 // what the client may send on the connection
	ready    *ServerCall
	overlaps int // calls that are still to be led as if they overlapped
	floods   flood
	resets   edge.Ratio
	pinged   time.Time // when the last ping came
	strikes  int

	tick  *time.Timer
	park  chan bool     // where goroutines that have answered wait: true has one lead, false lets it go
	ended chan struct{} // closed by the first fail

	mu         sync.Mutex
	err        error // why the connection ended; nil while it stands
	parked     int
	ticking    bool
	answered   uint64 // calls that were answered, or are, with nobody reading
	seen       uint64 // of them, at the last tick
	unattended bool   // the leader answers a call, and nobody reads
	calls      map[uint32]*ServerCall
	active     int // calls that count
	lastID     uint32
	recent     closedList
	filling    *ServerCall   // whose message the leader reads into
	blocked    []*ServerCall // waiting for window
	control    []byte        // frames to be written before others; only who has the write lock takes from it
	endings    []ending      // to be written after these
	answers    int           // of them, those that the client asked for
	useful     int           // messages and ends that went out since that was looked at
	sent       bool          // messages or ends went out since the last ping
	draining   bool
	farewell   bool // the last GOAWAY is said
	shut       bool // nothing more is sent
	peer       serverPeer
	idleSince  time.Time // by the watch; zero while there are calls
	idleAt     uint32    // lastID at that time
}

// serverPeer is what the client has said about itself.
type serverPeer struct {
	window  int64 // of the connection, for what this side sends
	initial int64 // of each new stream
	frame   int
	table   uint32 // bytes of its HPACK table
	headers uint32 // longest list of headers
}

// serverOut is what the writer keeps from call to call.
type serverOut struct {
	outgoing

	// Of the write that is made ready.
	limit int    // longest frame
	most  uint32 // longest list of trailers
	end   *ending
}

func newServerConn(s *Server, nc net.Conn) *serverConn {
	c := &serverConn{server: s, options: &s.options, nc: nc, writing: make(writeLock, 1), calls: map[uint32]*ServerCall{}, park: make(chan bool), ended: make(chan struct{}),
		window: int64(s.options.ConnWindow),
		peer:   serverPeer{window: firstWindow, initial: firstWindow, frame: leastFrame, table: firstTable, headers: 1<<32 - 1}}
	_, encrypted := nc.(*tls.Conn)
	c.raw = rawOf(nc, encrypted)
	through := nc
	if wrapped, ok := nc.(interface{ Unwrap() net.Conn }); ok && !encrypted {
		through = wrapped.Unwrap() // a list of buffers goes out at once to a socket alone
	}
	c.out.start(through, c.raw, time.Second, s.options.Stall) // a record cut short ends the connection: the client has had its time
	c.out.cutWrite.rate = s.options.Rate
	c.in = source{from: through, buf: make([]byte, helloBuffer)}
	c.fields.most = int(s.options.MaxHeaders)
	c.decoder = hpack.NewDecoder(firstTable, c.fields.add)
	c.decoder.SetMaxStringLength(c.blockLimit())
	c.tick = time.AfterFunc(time.Hour, c.look)
	c.tick.Stop()
	return c
}

// connError ends a connection, with a code that the client is told.
type connError struct {
	code Code
	text string
}

// reason is what is counted of a client that is told to be calm.
func (e *connError) reason() edge.Reason {
	if e.text == manyResets {
		return edge.Resets
	}
	return edge.Flood
}

func (e *connError) Error() string { return "h2: the client breaks the protocol: " + e.text }

func wrong(code Code, format string, args ...any) error {
	return &connError{code, fmt.Sprintf(format, args...)}
}

var errGone = errors.New("h2: the client has closed the connection")

// serve is the first goroutine of the connection.
func (c *serverConn) serve() {
	if err := c.hello(); err != nil {
		c.fail(err)
		return
	}
	c.lead()
}

// hello takes the client's preface and first SETTINGS.
func (c *serverConn) hello() error {
	_ = c.nc.SetDeadline(time.Now().Add(c.options.Hello))
	if t, ok := c.nc.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), c.options.Hello)
		err := t.HandshakeContext(ctx)
		cancel()
		if err != nil {
			return err
		}
		if chosen := t.ConnectionState().NegotiatedProtocol; chosen != "h2" {
			return fmt.Errorf("h2: the client speaks %q by ALPN", chosen)
		}
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	c.mu.Lock()
	c.control = c.appendHello(c.control)
	c.mu.Unlock()
	c.flushSoon()
	b, err := c.in.take(len(preface))
	if err != nil {
		return err
	}
	if string(b) != preface {
		return wrong(CodeProtocol, "it does not begin with the preface of HTTP/2")
	}
	b, err = c.in.peek(headSize)
	if err != nil {
		return err
	}
	if f := parseFrame(b); f.kind != frameSettings || f.has(flagAck) {
		return wrong(CodeProtocol, "it does not begin with SETTINGS")
	}
	if err := c.readFrame(); err != nil {
		return err
	}
	return c.nc.SetReadDeadline(time.Time{})
}

// fail ends the connection with the first reason given, and the calls on it.
func (c *serverConn) fail(why error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = why
	}
	list := make([]*ServerCall, 0, len(c.calls))
	for _, call := range c.calls {
		list = append(list, call)
		c.drop(call)
	}
	c.mu.Unlock()
	for _, call := range list {
		call.cancel()
	}
	if !first {
		return
	}
	close(c.ended)
	var told *connError
	if errors.As(why, &told) {
		if told.code == CodeCalm {
			c.options.Cut(told.reason())
		}
		c.goodbye(told)
	}
	_ = c.nc.Close()
	c.server.left(c)
}

// goodbye tells the client why the connection ends, as far as it reads. Only the leader calls it.
func (c *serverConn) goodbye(why *connError) {
	_ = c.nc.SetDeadline(time.Now().Add(parting)) // also for who writes
	select {
	case c.writing <- struct{}{}:
	case <-time.After(2 * parting):
		return
	}
	_ = c.nc.SetDeadline(time.Now().Add(parting))
	c.mu.Lock()
	last := appendGoAway(c.control, c.lastID, why.code, why.text)
	c.control, c.endings = nil, nil
	c.mu.Unlock()
	_, err := c.nc.Write(last)
	<-c.writing
	if err == nil {
		c.closeWrite()
		for end := time.Now().Add(parting); time.Now().Before(end); {
			if _, err := c.nc.Read(c.in.buf); err != nil {
				return
			}
		}
	}
}

func (c *serverConn) closeWrite() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
