package h2

import (
	"context"
	"errors"
	"io"
	"net"
)

// Codes of gRPC that this package gives itself.
const (
	statusInvalid   = 3
	statusDeadline  = 4
	statusExhausted = 8
	statusInternal  = 13
)

// ServerCall is one call that a client makes. Receive may be used by one goroutine beside another that sends. Nothing of it may be used after the handler
// has returned.
type ServerCall struct {
	conn    *serverConn
	id      uint32
	method  string
	header  []Field
	content string // content type of the answer
	early   bool
	ctx     context.Context
	cancel  context.CancelFunc
	came    chan struct{} // has one place; something is put in when there is more to receive
	wake    chan struct{} // the same for who waits to send

	// Under the connection's mu.
	window     int64 // what the client takes
	allowance  int64 // what the client may send
	had        int64 // bytes of DATA
	declared   int64 // bytes of DATA by content-length; -1 if not said
	blocked    bool  // it is in the connection's list
	clientDone bool  // the client has sent all
	gone       bool  // it is ended by one side or the other, and not in the connection's map
	begun      bool  // its handler is called
	counted    bool  // it counts against Streams
	queue      []incoming
	backlog    []byte // DATA behind the queue
	coming     assembly
	sent       int64 // bytes of messages that went out
	partial    bool  // a part of a message has come, and more is to
	watch      watched
	refused    *Status // what is wrong with the client's messages
	parting    []Field // goes with refused

	glanced  bool // Glance has been asked, or is not to be; only who leads looks at it
	answered bool // the headers are written; only who sends looks at it
}

var errEnded = errors.New("h2: the call has ended")

// Context ends with the deadline that the client has set, when the client gives the call up or is gone, and after the handler has returned.
func (c *ServerCall) Context() context.Context { return c.ctx }

// Method is "/package.Service/Method", as the client wrote it.
func (c *ServerCall) Method() string { return c.method }

// Header is the metadata: all but what HTTP/2 and this package use up (names with ":", content-type, te, grpc-timeout). Values of "-bin" names are in base64,
// grpc-encoding and grpc-accept-encoding are among them. It is the server's, and valid until the handler returns.
func (c *ServerCall) Header() []Field { return c.header }

// Peer is the client's address.
func (c *ServerCall) Peer() net.Addr { return c.conn.nc.RemoteAddr() }

func (c *ServerCall) poke(place chan struct{}) {
	select {
	case place <- struct{}{}:
	default:
	}
}

// Receive waits for the next message, which the caller has to release, and says whether it came compressed. The error is io.EOF after the last message,
// ctx's, the call's context's, or a *Status that the call should end with: a message that is too long, or is none.
func (c *ServerCall) Receive(ctx context.Context) (b Buffer, compressed bool, err error) {
	for {
		m, more, err := c.next()
		if more {
			c.conn.flushSoon()
		}
		if m.body != nil || err != nil {
			return m.body, m.compressed, err
		}
		c.conn.attend()
		select {
		case <-c.came:
		case <-c.ctx.Done():
			return nil, false, c.ctx.Err()
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// next gives a message that is there, or why there is none any more. more says that there are frames to be written.
func (c *ServerCall) next() (m incoming, more bool, err error) {
	c.conn.mu.Lock()
	defer c.conn.mu.Unlock()
	if c.gone {
		if err := c.ctx.Err(); err != nil {
			return m, false, err
		}
		return m, false, errEnded
	}
	for len(c.queue) == 0 && len(c.backlog) > 0 && c.refused == nil {
		c.unpack()
	}
	switch {
	case len(c.queue) > 0:
		m = c.queue[0]
		c.queue[0] = incoming{}
		if c.queue = c.queue[1:]; len(c.queue) == 0 {
			c.queue = nil
		}
	case c.refused != nil:
		return m, false, c.refused
	case c.clientDone && c.coming.had > 0:
		return m, false, &Status{Code: statusInternal, Message: "h2: the call ended in the middle of a message"}
	case c.clientDone:
		return m, false, io.EOF
	}
	return m, c.conn.widenCall(c), nil
}

// close is called when the handler has returned, however it did.
func (c *ServerCall) close() {
	_ = c.End(&Status{Code: statusInternal, Message: "the server's handler ended without an answer"}, nil)
	c.cancel()
	c.conn.mu.Lock()
	c.uncount()
	over := c.conn.over()
	c.conn.mu.Unlock()
	if over {
		c.conn.flushSoon()
	}
}

// uncount makes room for another call. The caller has the connection's mu.
func (c *ServerCall) uncount() {
	if c.counted {
		c.counted = false
		c.conn.active--
	}
}

// drop takes a call out of the connection. The caller has mu, and cancels the call's context afterwards where the handler may still run.
func (c *serverConn) drop(call *ServerCall) {
	if call.gone {
		return
	}
	call.gone = true
	delete(c.calls, call.id)
	c.recent.add(call.id, call.clientDone)
	if call.blocked {
		call.blocked = false
		c.blocked = withoutCall(c.blocked, call)
	}
	for _, m := range call.queue {
		m.body.Release()
	}
	call.queue, call.backlog = nil, nil
	if c.filling != call {
		call.coming.drop(c.options)
	}
	if !call.begun {
		call.uncount()
	}
	call.poke(call.wake)
	call.poke(call.came)
}

// abort ends a call by RST_STREAM. The caller has mu.
func (c *serverConn) abort(call *ServerCall, code Code) {
	c.drop(call)
	c.tell(appendReset(nil, call.id, code))
	call.cancel()
}

func withoutCall(list []*ServerCall, gone *ServerCall) []*ServerCall {
	for i, s := range list {
		if s == gone {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// closedList is which streams ended last, and by whom.
type closedList struct {
	ids    [64]uint32
	client [64]bool
	next   int
}

func (l *closedList) add(id uint32, byClient bool) {
	l.ids[l.next], l.client[l.next] = id, byClient
	l.next = (l.next + 1) % len(l.ids)
}

// byClient says that the client has ended the stream, so that nothing of it may come.
func (l *closedList) byClient(id uint32) bool {
	for i, other := range l.ids {
		if other == id {
			return l.client[i]
		}
	}
	return false
}

// has says that the stream was open not long ago.
func (l *closedList) has(id uint32) bool {
	for _, other := range l.ids {
		if other == id {
			return true
		}
	}
	return false
}
