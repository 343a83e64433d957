package h2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// serverEager is the length of a message up to which memory for it is taken at once, as its prefix says. A longer one gets that much, and growth times
	// as much whenever it is full: what a client makes the server hold is at most serverEager or growth times what it has sent, for each of its calls.
	serverEager = 1 << 20
	growth      = 4
	// unread is how many whole messages wait, made ready to be received. What comes after them waits as bytes, bounded by the window, so that
	// many small ones do not take many times their size.
	unread = 8
	// modest is serverEager where many messages are coming.
	modest = 16 << 10
)

// incoming is one whole message.
type incoming struct {
	body       Buffer
	compressed bool
}

// assembly is the message that is coming.
type assembly struct {
	prefix [prefixSize]byte
	had    int // bytes, with the prefix
	size   int // of the message
	body   Buffer
	own    int64 // bytes of body, as they are counted
}

// take puts at most n bytes into the message, and gives how many it has left, and whether the message is whole.
func (a *assembly) take(in *source, n int, o *ServerOptions) (left int, whole bool, refused *Status, err error) {
	for a.had < prefixSize {
		if n == 0 {
			return 0, false, nil, nil
		}
		b, err := in.take(min(n, prefixSize-a.had))
		if err != nil {
			return n, false, nil, err
		}
		copy(a.prefix[a.had:], b)
		a.had += len(b)
		if n -= len(b); a.had < prefixSize {
			continue
		}
		size := binary.BigEndian.Uint32(a.prefix[1:])
		switch {
		case a.prefix[0] > 1:
			return n, false, &Status{Code: statusInternal, Message: fmt.Sprintf("grpc: received unexpected payload format %d", a.prefix[0])}, nil
		case uint64(size) > uint64(o.MaxMessage):
			return n, false, &Status{Code: statusExhausted, Message: fmt.Sprintf("grpc: received message larger than max (%d vs. %d)", size, o.MaxMessage)}, nil
		}
		a.size = int(size)
		first := min(a.size, serverEager)
		if first > modest && o.coming.Load()+int64(first) > o.Memory/2 {
			first = modest // half of the memory is for what has come
		}
		if !a.claim(int64(first), o) {
			return n, false, noRoom(), nil
		}
		a.body = o.Buffer(first)
	}
	for had := a.had - prefixSize; had < a.size; had = a.had - prefixSize {
		if n == 0 {
			return 0, false, nil, nil
		}
		if had == len(a.body.Bytes()) && !a.grow(o) {
			return n, false, noRoom(), nil
		}
		to := a.body.Bytes()[had:]
		to = to[:min(n, len(to))]
		if err := in.fill(to); err != nil {
			return n, false, nil, err
		}
		a.had += len(to)
		n -= len(to)
	}
	return n, true, nil, nil
}

// claim counts n more bytes of memory, if there are so many.
func (a *assembly) claim(n int64, o *ServerOptions) bool {
	if o.coming.Add(n) > o.Memory {
		o.coming.Add(-n)
		return false
	}
	a.own += n
	return true
}

func noRoom() *Status {
	return &Status{Code: statusExhausted, Message: "h2: too many bytes of messages are coming at this moment; come again in a second"}
}

func (a *assembly) grow(o *ServerOptions) bool {
	had := a.body.Bytes()
	size := a.size
	if len(had) < size/growth {
		size = len(had) * growth
	}
	if !a.claim(int64(size-len(had)), o) {
		return false
	}
	longer := o.Buffer(size)
	copy(longer.Bytes(), had)
	a.body.Release()
	a.body = longer
	return true
}

// done gives the message that is whole, and begins the next.
func (a *assembly) done(o *ServerOptions) incoming {
	m := incoming{a.body, a.prefix[0] == 1}
	o.coming.Add(-a.own)
	*a = assembly{}
	return m
}

// drop lets the memory go.
func (a *assembly) drop(o *ServerOptions) {
	if a.body != nil {
		a.body.Release()
	}
	o.coming.Add(-a.own)
	*a = assembly{}
}

// readMessages takes n bytes of DATA for a call, and gives how many are left because the call wants none any more.
func (c *serverConn) readMessages(call *ServerCall, n int) (left int, err error) {
	for n > 0 {
		c.mu.Lock()
		if call.gone || call.refused != nil {
			c.mu.Unlock()
			return n, nil
		}
		direct := len(call.backlog) == 0 && len(call.queue) < unread
		if direct {
			c.filling = call
		}
		c.mu.Unlock()
		if direct {
			n, err = c.fillMessage(call, n)
		} else {
			n, err = c.putAside(call, n)
		}
		if err != nil {
			return n, err
		}
	}
	return 0, nil
}

// fillMessage reads at most one message to where it belongs.
func (c *serverConn) fillMessage(call *ServerCall, n int) (left int, err error) {
	left, whole, refused, err := call.coming.take(&c.in, n, c.options)
	var parting []Field
	if whole {
		call.glanced = true // what comes later is not the first
	} else if refused == nil && err == nil {
		refused, parting = c.glance(call)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filling = nil
	switch {
	case call.gone || err != nil:
		call.coming.drop(c.options)
	case refused != nil:
		call.refused, call.parting = refused, parting
	case whole:
		call.queue = append(call.queue, call.coming.done(c.options))
	}
	call.partial = call.coming.had > 0
	return left, err
}

// glanceAt is how much of a message has to be there for Glance: gRPC puts what a request is about first.
const glanceAt = 1 << 10

// glance asks whether the rest of a long first message is worth reading. Only who leads calls it.
func (c *serverConn) glance(call *ServerCall) (*Status, []Field) {
	m := &call.coming
	if call.glanced || c.options.Glance == nil || call.early || m.size <= c.options.GlanceFrom || m.had < prefixSize+glanceAt || m.prefix[0] != 0 {
		return nil, nil
	}
	call.glanced = true
	return c.options.Glance(call, m.body.Bytes()[:m.had-prefixSize], m.size)
}

// putAside keeps what comes after more messages than are made ready.
func (c *serverConn) putAside(call *ServerCall, n int) (left int, err error) {
	b, err := c.in.take(min(n, readBuffer))
	if err != nil {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !call.gone {
		call.backlog = append(call.backlog, b...)
	}
	return n - len(b), nil
}

var errNoMore = errors.New("h2: no more bytes")

// unpack makes one message of what was put aside, or a part of one. The caller has the connection's mu; the leader does not touch coming while there is a backlog.
func (c *ServerCall) unpack() {
	in := source{from: nothing{}, buf: c.backlog, n: len(c.backlog)}
	left, whole, refused, err := c.coming.take(&in, len(c.backlog), c.conn.options)
	switch {
	case err != nil || refused != nil:
		c.refused, left = refused, 0
	case whole:
		c.queue = append(c.queue, c.coming.done(c.conn.options))
	}
	c.backlog = c.backlog[len(c.backlog)-left:]
	if left == 0 {
		c.backlog = nil
	}
}

// nothing is where the backlog's bytes come from when they are used up; they never are.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, errors.Join(errNoMore, io.ErrUnexpectedEOF) }
