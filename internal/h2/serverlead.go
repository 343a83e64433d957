package h2

import (
	"runtime/debug"
	"time"
)

const (
	// patience is how long nobody reads while the leader answers a call that nothing overlaps. So late, at most, a client's RST_STREAM or the first of
	// its overlapping calls is seen; a call that is answered sooner costs no hand-over at all.
	patience = time.Millisecond
	// overlapping is for how many calls after one that overlapped another the reading is handed on at once.
	overlapping = 256
)

// lead reads until the connection ends, or another leads.
func (c *serverConn) lead() {
	led := false
	defer func() {
		if !led { // a handler has ended the goroutine that it was called in
			c.attend()
		}
	}()
	for {
		call, err := c.next()
		if err != nil {
			c.fail(err)
			break
		}
		if !c.answer(call) {
			break
		}
	}
	led = true
}

// next reads frames until there is a call to answer.
func (c *serverConn) next() (*ServerCall, error) {
	for c.ready == nil {
		if err := c.readFrame(); err != nil {
			return nil, err
		}
	}
	if err := c.readEnd(c.ready); err != nil {
		return nil, err
	}
	call := c.ready
	c.ready = nil
	return call, nil
}

// readEnd takes the empty DATA frame by which some clients end a call, if it has come with the message: the call is then over for both sides when it is answered.
func (c *serverConn) readEnd(call *ServerCall) error {
	if c.in.n-c.in.i < headSize {
		return nil
	}
	f := parseFrame(c.in.buf[c.in.i:])
	if f.kind == frameData && f.length == 0 && f.id == call.id && f.has(flagEndStream) {
		return c.readFrame()
	}
	return nil
}

// answer runs the handler of a call, and says whether this goroutine still leads.
func (c *serverConn) answer(call *ServerCall) (leads bool) {
	c.mu.Lock()
	if c.active > 1 {
		c.overlaps = overlapping
	} else if c.overlaps > 0 {
		c.overlaps--
	}
	lazy := c.overlaps == 0 && c.in.i == c.in.n && !call.early && c.err == nil
	c.unattended = lazy
	c.mu.Unlock()
	if !lazy {
		c.server.group.Go(c.lead)
		call.run()
		return false
	}
	c.patience.Reset(patience)
	call.run()
	c.mu.Lock()
	leads, c.unattended = c.unattended, false
	c.mu.Unlock()
	if leads {
		c.patience.Stop()
	}
	return leads
}

// attend has the connection read by another goroutine, if nobody reads it. Who waits for something that the client has to send calls it before.
func (c *serverConn) attend() {
	c.mu.Lock()
	defer c.mu.Unlock() // the leader is in the group until it has had mu
	if c.unattended {
		c.unattended = false
		c.server.group.Go(c.lead)
	}
}

// run answers the call.
func (c *ServerCall) run() {
	returned := false
	defer func() {
		if !returned {
			if p := recover(); p != nil {
				c.conn.options.Log.Error("a handler panicked", "method", c.method, "panic", p, "stack", string(debug.Stack()))
			}
		}
		c.close()
	}()
	c.conn.server.handle(c)
	returned = true
}
