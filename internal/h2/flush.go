package h2

import (
	"context"
	"time"
)

// grace is how long a write goes on after its call has ended, where a write cut short ends the connection, as with TLS.
const grace = 100 * time.Millisecond

// flushSoon has the control frames written: by this goroutine as far as it need not wait, else by who has the write lock, or a new goroutine.
func (c *Conn) flushSoon() {
	if c.writing.tryLock() {
		c.unlock()
	}
}

// waiting says that there are frames to be written.
func (c *Conn) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.control) > 0 && c.err == nil
}

// unlock gives the write lock back, when no control frames are left. It does not wait.
func (c *Conn) unlock() {
	for {
		if c.waiting() && !c.flush() && c.spawn() {
			return
		}
		<-c.writing
		if !c.waiting() || !c.writing.tryLock() { // what came between the look and now was left to this goroutine
			return
		}
	}
}

// spawn hands the write lock to a goroutine that may wait, unless the connection has ended.
func (c *Conn) spawn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.group.Go(c.flushAll)
	}
	return c.err == nil
}

// flush writes the control frames as far as they go in, and reports whether all did.
func (c *Conn) flush() bool {
	if c.raw == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.out.tryWrite(c.control)
	c.control, c.answers = append(c.control[:0], c.control[n:]...), 0
	return err == nil && len(c.control) == 0
}

// flushAll has taken over the write lock.
func (c *Conn) flushAll() {
	c.mu.Lock()
	control := append(c.out.bytes[:0], c.control...)
	c.out.bytes = control
	c.control, c.answers = c.control[:0], 0
	c.mu.Unlock()
	if _, err := c.nc.Write(control); err != nil {
		c.fail(lost(err))
	}
	c.unlock()
}

// write writes the vector, of which the first must bytes have to go out once one has. The caller has the write lock.
func (c *Conn) write(ctx context.Context, s *stream, must int) error {
	o := &c.out
	defer func() { clear(o.vector) }()
	total := 0
	for _, b := range o.vector {
		total += len(b)
	}
	cut, err := o.write(ctx)
	switch {
	case err == nil:
		return nil
	case cut:
		c.salvage(s, must, total)
		return ctx.Err()
	}
	return c.writeFailed(err)
}

func (c *Conn) writeFailed(err error) error {
	c.fail(lost(err))
	return errFinished
}

// salvage keeps a copy of what must follow what has been written, so that others can go on: the rest of the headers and of the frame that is under way.
// What it leaves out goes back to the connection's window.
func (c *Conn) salvage(s *stream, must, total int) {
	o := &c.out
	left := 0
	for _, b := range o.rest {
		left += len(b)
	}
	written, keep, dropped := total-left, must, 0
	start := must
	for _, end := range o.ends {
		if start < written {
			keep = end
		} else {
			dropped += end - start - headSize
		}
		start = end
	}
	var rest []byte
	for _, b := range o.rest {
		rest = append(rest, b[:min(len(b), keep-written-len(rest))]...)
	}
	c.mu.Lock()
	c.control = append(rest, c.control...)
	c.peer.window += int64(dropped)
	s.sent = false
	c.unblock()
	c.mu.Unlock()
}
