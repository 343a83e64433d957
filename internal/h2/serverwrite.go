package h2

import (
	"fmt"
	"slices"
)

// answer is what is still to be sent of a message, and what goes with it.
type answer struct {
	unsentMessage
	header  []Field
	trailer []Field
	last    bool // the call ends with it
}

// Send sends one message, in pieces. The first one sends header before; later ones' is not used. It waits while the client takes no more, at most until the
// call's context ends. Nobody reads header or body after it has returned. After an error, only End is of use.
func (c *ServerCall) Send(header []Field, body [][]byte, compressed bool) error {
	return c.send(&answer{header: header}, body, compressed)
}

// Reply answers a unary call well: headers, one message, and the end, in one write where they fit. It is Send and End otherwise.
func (c *ServerCall) Reply(header []Field, body [][]byte, compressed bool, trailer []Field) error {
	return c.send(&answer{header: header, trailer: trailer, last: true}, body, compressed)
}

func (c *ServerCall) send(a *answer, body [][]byte, compressed bool) (err error) {
	a.unsentMessage, err = newMessage(body, compressed)
	if err == nil {
		err = checkFields(a.header)
	}
	if err == nil {
		err = checkFields(a.trailer)
	}
	if err != nil {
		return fmt.Errorf("h2: %w", err)
	}
	for a.left > 0 {
		if !c.conn.writing.tryLock() {
			if c.leave(a) {
				c.conn.flushSoon()
				return nil
			}
			if err := c.conn.writing.lock(c.ctx); err != nil {
				return err
			}
		}
		n, err := c.plan(a)
		if err == nil && n >= 0 {
			err = c.writeTurn(a, n)
		}
		c.conn.unlock()
		if err != nil {
			return err
		}
		if n >= 0 {
			continue
		}
		c.conn.attend()
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return nil
}

// leaveLimit is how long a whole answer may be, with its prefix, to be copied for who is writing at that moment, instead of waiting for that one.
const leaveLimit = 4 << 10

// leave has another goroutine write a short answer and the end of the call, if the client takes it.
func (c *ServerCall) leave(a *answer) bool {
	if !a.last || a.left > leaveLimit || a.first > 0 {
		return false
	}
	conn := c.conn
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if c.gone || conn.err != nil || int64(a.left) > min(c.window, conn.peer.window) {
		return false
	}
	c.window -= int64(a.left)
	conn.peer.window -= int64(a.left)
	e := ending{id: c.id, bare: !c.answered, http: "200", content: c.content, status: &Status{}, trailer: slices.Clone(a.trailer), reset: !c.clientDone,
		header: slices.Clone(a.header), message: make([]byte, 0, a.left)}
	for a.left > 0 {
		e.message = append(e.message, a.next(a.left)...)
	}
	c.answered = true
	conn.drop(c)
	c.uncount()
	conn.endings = append(conn.endings, e)
	return true
}

// plan takes the window for the next turn, and what there is of other frames, and encodes the headers. The caller has the write lock. It gives the bytes of the
// message that are to be written, -1 when there is nothing to write.
func (c *ServerCall) plan(a *answer) (int, error) {
	conn := c.conn
	o := &conn.out
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if c.gone {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		return 0, errEnded
	}
	n := int(max(0, min(int64(a.left), c.window, conn.peer.window, turn)))
	if n == 0 && c.answered {
		if !c.blocked {
			c.blocked = true
			conn.blocked = append(conn.blocked, c)
		}
		return -1, nil
	}
	conn.collect()
	o.limit = min(conn.peer.frame, sendLimit)
	if !c.answered {
		c.answered = true
		o.block.Reset()
		o.field(":status", "200", false)
		o.field("content-type", c.content, false)
		for _, f := range a.header {
			o.field(f.Name, f.Value, true)
		}
		o.headers(c.id, 0, o.limit)
	}
	c.window -= int64(n)
	conn.peer.window -= int64(n)
	c.sent += int64(n)
	conn.sent = true
	conn.useful++
	o.end = nil
	if a.last && n == a.left {
		o.end = &ending{id: c.id, status: &Status{}, trailer: a.trailer, reset: !c.clientDone}
		o.most = conn.peer.headers
		conn.drop(c)
		c.uncount()
	}
	return n, nil
}

// collect begins a write with the frames that wait. The caller has mu and the write lock.
func (c *serverConn) collect() {
	o := &c.out
	o.bytes, o.vector, o.ends = append(o.bytes[:0], c.control...), o.vector[:0], o.ends[:0]
	c.control, c.answers = c.control[:0], 0
	o.resize(c.peer.table)
	for i := range c.endings {
		c.appendEnding(&c.endings[i])
		c.sent = true
		c.useful++
	}
	clear(c.endings)
	c.endings = c.endings[:0]
}

// writeTurn writes n bytes of the message as frames, with what is collected before, and the end after. The caller has the write lock.
func (c *ServerCall) writeTurn(a *answer, n int) error {
	o := &c.conn.out
	start := o.data(&a.unsentMessage, n, c.id, 0, o.limit)
	if e := o.end; e != nil {
		o.end = nil
		o.block.Reset()
		o.trailers(e.status, e.trailer, o.most)
		o.headers(e.id, flagEndStream, o.limit)
		if e.reset {
			o.bytes = appendReset(o.bytes, e.id, CodeNo)
		}
	}
	o.seal(start)
	return c.conn.write(c.ctx)
}

// checkFields says what is wrong with metadata that a handler gives.
func checkFields(list []Field) error {
	for _, f := range list {
		switch f.Name {
		case "grpc-encoding", "grpc-accept-encoding", "grpc-status-details-bin":
		default:
			if reserved(f.Name) {
				return fmt.Errorf("%w: header %q is not for handlers to set", ErrRequest, f.Name)
			}
		}
		if !token(f.Name) || !plain(f.Value) {
			return fmt.Errorf("%w: header %q has characters that HTTP/2 does not allow", ErrRequest, f.Name)
		}
	}
	return nil
}
