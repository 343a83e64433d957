package h2

import (
	"context"
	"time"
)

// grace is how long a write goes on after its call has ended, where a write cut short ends the connection, as with TLS.
const grace = 100 * time.Millisecond

// flatSize is how much is written at a time where there is no list of buffers.
const flatSize = 1 << 16

// tryLock takes the write lock if nobody has it.
func (c *Conn) tryLock() bool {
	select {
	case c.writing <- struct{}{}:
		return true
	default:
		return false
	}
}

// flushSoon has the control frames written: by this goroutine as far as it need not wait, else by who has the write lock, or a new goroutine.
func (c *Conn) flushSoon() {
	if c.tryLock() {
		c.unlock()
	}
}

// unlock gives the write lock back, when no control frames are left. It does not wait.
func (c *Conn) unlock() {
	for {
		c.mu.Lock()
		waiting := len(c.control) > 0 && c.err == nil
		c.mu.Unlock()
		if waiting && !c.flush() && c.spawn() {
			return
		}
		<-c.writing
		c.mu.Lock() // what came between the look and now was left to this goroutine
		waiting = len(c.control) > 0 && c.err == nil
		c.mu.Unlock()
		if !waiting || !c.tryLock() {
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
	n, err := c.tryWrite(c.control)
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

// tryWrite does not wait. The caller has the write lock.
func (c *Conn) tryWrite(data []byte) (int, error) {
	t := &c.out.try
	t.data, t.n, t.err = data, 0, nil
	err := c.raw.Write(t.do)
	t.data = nil
	if err == nil {
		err = t.err
	}
	return max(0, t.n), err
}

// write writes the vector, of which the first must bytes have to go out once one has. The caller has the write lock.
func (c *Conn) write(ctx context.Context, s *stream, must, total int) error {
	o := &c.out
	defer func() { clear(o.vector) }()
	if c.raw != nil && len(o.vector) == 1 {
		n, err := c.tryWrite(o.vector[0])
		if err != nil {
			return c.writeFailed(err)
		}
		if n == total {
			return nil
		}
		o.vector[0] = o.vector[0][n:]
	}
	stop := c.cutWrite.arm(ctx)
	o.rest = o.vector
	var err error
	if c.raw != nil {
		_, err = o.rest.WriteTo(c.nc)
	} else {
		err = c.writeFlat()
	}
	interrupted := c.cutWrite.disarm(stop)
	switch {
	case err == nil:
		return nil
	case interrupted && c.raw != nil && isCut(err):
		c.salvage(s, must, total)
		return ctx.Err()
	}
	return c.writeFailed(err)
}

// writeFlat writes longer pieces than the frames are, for TLS makes a record of each.
func (c *Conn) writeFlat() error {
	o := &c.out
	for len(o.rest) > 0 {
		o.flat = o.flat[:0]
		for len(o.rest) > 0 && len(o.flat) < flatSize {
			n := min(len(o.rest[0]), flatSize-len(o.flat))
			o.flat = append(o.flat, o.rest[0][:n]...)
			if o.rest[0] = o.rest[0][n:]; len(o.rest[0]) == 0 {
				o.rest = o.rest[1:]
			}
		}
		if _, err := c.nc.Write(o.flat); err != nil {
			return err
		}
	}
	return nil
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
