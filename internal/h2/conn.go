package h2

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"
)

// largestAnswer is what fits into one stream's window with its prefix.
const largestAnswer = math.MaxInt32 - prefixSize

// Options are what differs between servers.
type Options struct {
	Authority string // the :authority of calls, as host:port
	UserAgent string // "" sends none
	TLS       bool   // the net.Conn is encrypted; its handshake is done, with ALPN "h2"
	MaxAnswer int    // bytes of an answer; 0 or more than 2^31-6: 2^31-6
}

// Conn is one connection to a server. It is safe for concurrent use, and has one goroutine. Where the net.Conn is a socket, what comes while nobody calls is
// seen before the next call is sent, or else some tenths of a second later.
type Conn struct {
	nc      net.Conn
	raw     syscall.RawConn // nil where bytes cannot be written past nc, as with TLS
	options Options
	ready   chan struct{} // closed by the server's first SETTINGS
	dead    chan struct{} // closed when the connection has ended
	group   sync.WaitGroup

	writing writeLock // the write lock: who has put something in may write, and use out
	out     outgoing

	// What only who has the role uses.
	pull     pull
	greeted  bool
	data     data
	block    fieldBlock
	in       source
	decoder  *hpack.Decoder
	headers  fieldList
	received int // bytes of DATA since the last filling up of the window
	floods   flood

	mu       sync.Mutex
	role     role
	err      error // why the connection ended; nil while it stands
	draining error // why there are no new calls; nil while there are
	streams  map[uint32]*stream
	nextID   uint32
	active   int       // streams and those about to be
	queue    []*stream // waiting for their turn, as the server takes no more streams
	blocked  []*stream // waiting for window
	control  []byte    // frames to be written before others; only who has the write lock takes from it
	answers  int       // of them, answers to the server's frames
	peer     peer
}

// peer is what the server has said about itself.
type peer struct {
	window  int64 // of the connection, for what this side sends
	initial int64 // of each new stream
	frame   int
	streams uint32
	table   uint32 // bytes of its HPACK table
	headers uint32 // longest list of headers
	goAway  uint32 // streams above are not processed
}

// New says hello on a connection that is dialed, and waits for the server's. The error is ctx's, or says what came instead. nc is closed in any case of
// error; otherwise it belongs to the Conn.
func New(ctx context.Context, nc net.Conn, o Options) (*Conn, error) {
	if o.MaxAnswer <= 0 || o.MaxAnswer > largestAnswer {
		o.MaxAnswer = largestAnswer
	}
	c := &Conn{nc: nc, options: o, ready: make(chan struct{}), dead: make(chan struct{}), writing: make(writeLock, 1),
		streams: map[uint32]*stream{}, nextID: 1,
		peer: peer{window: firstWindow, initial: firstWindow, frame: leastFrame, streams: math.MaxUint32, table: firstTable, headers: math.MaxUint32, goAway: math.MaxUint32}}
	c.raw = rawOf(nc, o.TLS)
	c.out.start(nc, c.raw, grace, 0)
	c.in = source{from: nc, buf: make([]byte, readBuffer)}
	c.decoder = hpack.NewDecoder(firstTable, c.headers.add)
	c.decoder.SetMaxStringLength(maxHeaders)
	c.control = appendHello(nil)
	c.pull.do = c.pull.once
	c.role.take(nil)
	c.role.turn = make(chan struct{}, 1)
	c.role.timer = time.AfterFunc(time.Hour, c.tick)
	c.role.timer.Stop()
	c.group.Go(c.watch)
	c.flushSoon()
	select {
	case <-c.ready:
		return c, nil
	case <-c.dead:
	case <-ctx.Done():
		c.fail(fmt.Errorf("h2: %w", ctx.Err()))
	}
	c.group.Wait()
	return nil, fmt.Errorf("h2: no HTTP/2 server at %s: %w", nc.RemoteAddr(), c.Err())
}

// Err says why no new calls can be made: the connection has ended, or the server has said that it will. It is nil while calls can be made.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return c.draining
}

// Done is closed when the connection has ended and no call runs on it any more.
func (c *Conn) Done() <-chan struct{} { return c.dead }

// Drain lets running calls finish, makes no new ones, and ends the connection after the last.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.drain(ErrClosed)
	last := c.isOver()
	c.mu.Unlock()
	if last {
		c.fail(ErrClosed)
	}
}

// Close ends the connection and the calls on it, and waits for its goroutines.
func (c *Conn) Close() {
	c.fail(ErrClosed)
	c.group.Wait()
}

// drain has mu.
func (c *Conn) drain(why error) {
	if c.draining == nil {
		c.draining = why
	}
	for _, s := range c.queue {
		c.poke(s)
	}
	c.queue = nil
}

// fail ends the connection with the first reason given.
func (c *Conn) fail(why error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = why
	c.drain(why)
	for _, s := range c.streams {
		kind := ErrConn
		if s.sent && s.id <= c.peer.goAway {
			kind = ErrBroken
		}
		c.finish(s, fmt.Errorf("%w: %w", kind, why))
	}
	c.mu.Unlock()
	_ = c.nc.Close()
	close(c.dead)
}
