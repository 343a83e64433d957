package h2

import (
	"runtime/debug"
	"time"
)

const (
	// patience is how long nobody reads while the leader answers a call that nothing overlaps, up to twice that. So late, at most, a client's RST_STREAM or
	// the first of its overlapping calls is seen; a call that is answered sooner costs no hand-over at all. A clock ticks so often as long as there are such
	// calls, for to set one for each call costs more than the hand-over.
	patience = time.Millisecond
	// overlapping is for how many calls after one that overlapped another the reading is handed on at once.
	overlapping = 256
	// parking is how many goroutines wait for their turn to lead while calls overlap: to wake one costs less than to start one, whose stack has to grow.
	parking = 8
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
	tick := lazy && !c.ticking
	if lazy {
		c.answered++
		c.ticking = true
	}
	c.mu.Unlock()
	if !lazy {
		select {
		case c.park <- true:
		default:
			c.server.group.Go(c.lead)
		}
		call.run()
		return c.wait()
	}
	for left := true; left; { // calls overlap no more
		select {
		case c.park <- false:
		default:
			left = false
		}
	}
	if tick {
		c.tick.Reset(patience)
	}
	call.run()
	c.mu.Lock()
	leads, c.unattended = c.unattended, false
	c.mu.Unlock()
	return leads
}

// look is called at each tick, and has the connection read if the same call is being answered as at the last one.
func (c *serverConn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.answered != c.seen && c.err == nil:
		c.seen = c.answered
		c.tick.Reset(patience)
		return
	case c.unattended:
		c.attendLocked()
	}
	c.ticking = false
}

// wait parks a goroutine whose call is answered, and says whether it leads then.
func (c *serverConn) wait() (leads bool) {
	c.mu.Lock()
	stay := c.parked < parking && c.overlaps > 0 && c.err == nil
	if stay {
		c.parked++
	}
	c.mu.Unlock()
	if !stay {
		return false
	}
	select {
	case leads = <-c.park:
	case <-c.ended:
	}
	c.mu.Lock()
	c.parked--
	c.mu.Unlock()
	return leads
}

// attend has the connection read by another goroutine, if nobody reads it. Who waits for something that the client has to send calls it before.
func (c *serverConn) attend() {
	c.mu.Lock()
	c.attendLocked()
	c.mu.Unlock()
}

// attendLocked has mu; the leader is in the group until it has had it.
func (c *serverConn) attendLocked() {
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
