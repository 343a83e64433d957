package h2

import (
	"context"
	"fmt"
	"time"
)

// flushSoon has the frames written that wait: by this goroutine as far as it need not wait, else by who has the write lock, or a new goroutine.
func (c *serverConn) flushSoon() {
	if c.writing.tryLock() {
		c.unlock()
	}
}

// waiting says that there are frames to be written; parts, if there are none and never will be.
func (c *serverConn) waiting() bool {
	c.mu.Lock()
	waiting := (len(c.control) > 0 || len(c.endings) > 0) && c.err == nil
	over := c.over() && c.err == nil
	c.mu.Unlock()
	if over {
		c.part()
	}
	return waiting
}

// unlock gives the write lock back, when no frames are left. It does not wait.
func (c *serverConn) unlock() {
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
func (c *serverConn) spawn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.server.group.Go(c.flushAll)
	return true
}

// flush writes the frames that wait as far as they go in, and reports whether all did.
func (c *serverConn) flush() bool {
	if c.raw == nil {
		return false
	}
	c.mu.Lock()
	answers := c.answers
	c.collect()
	c.mu.Unlock()
	n, err := c.out.tryWrite(c.out.bytes)
	if err != nil {
		c.fail(err)
		return true
	}
	if n == len(c.out.bytes) {
		return true
	}
	c.mu.Lock()
	c.control = append(append([]byte(nil), c.out.bytes[n:]...), c.control...)
	c.answers += answers
	c.mu.Unlock()
	return false
}

// flushAll has taken over the write lock.
func (c *serverConn) flushAll() {
	c.mu.Lock()
	answers := c.answers
	c.collect()
	c.answers = answers // until they are written
	c.mu.Unlock()
	c.deadline()
	if _, err := c.nc.Write(c.out.bytes); err != nil {
		c.fail(err)
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	c.mu.Lock()
	c.answers -= answers
	c.mu.Unlock()
	c.unlock()
}

// deadline bounds how long a write waits.
func (c *serverConn) deadline() { _ = c.nc.SetWriteDeadline(time.Now().Add(c.options.Stall)) }

// write writes the vector. When ctx ends meanwhile, a copy of what is left of it is kept for others to write, as what follows depends on it.
// The caller has the write lock.
func (c *serverConn) write(ctx context.Context) error {
	o := &c.out
	defer func() { clear(o.vector) }()
	cut, err := o.write(ctx)
	switch {
	case err == nil:
		return nil
	case !cut:
		return c.lose(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []byte
	for _, b := range o.rest {
		rest = append(rest, b...)
	}
	c.control = append(rest, c.control...)
	return ctx.Err()
}

func (c *serverConn) lose(err error) error {
	c.fail(err)
	return fmt.Errorf("h2: the client is lost: %w", err)
}
