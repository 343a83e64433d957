package h2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// tryLock takes the write lock if nobody has it.
func (c *serverConn) tryLock() bool {
	select {
	case c.writing <- struct{}{}:
		return true
	default:
		return false
	}
}

// flushSoon has the frames written that wait: by this goroutine as far as it need not wait, else by who has the write lock, or a new goroutine.
func (c *serverConn) flushSoon() {
	if c.tryLock() {
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
		if !c.waiting() || !c.tryLock() { // what came between the look and now was left to this goroutine
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
	n, err := c.tryWrite(c.out.bytes)
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

// tryWrite does not wait. The caller has the write lock.
func (c *serverConn) tryWrite(data []byte) (int, error) {
	t := &c.out.try
	t.data, t.n, t.err = data, 0, nil
	err := c.raw.Write(t.do)
	t.data = nil
	if err == nil {
		err = t.err
	}
	return max(0, t.n), err
}

// write writes the vector. When ctx ends meanwhile, a copy of what is left of it is kept for others to write, as what follows depends on it.
// The caller has the write lock.
func (c *serverConn) write(ctx context.Context) error {
	o := &c.out
	defer func() { clear(o.vector) }()
	if c.raw != nil && len(o.vector) == 1 {
		n, err := c.tryWrite(o.vector[0])
		if err != nil {
			return c.lose(err)
		}
		if n == len(o.vector[0]) {
			return nil
		}
		o.vector[0] = o.vector[0][n:]
	}
	disarm := c.arm(ctx)
	o.rest = o.vector
	var err error
	if c.raw != nil {
		_, err = o.rest.WriteTo(c.nc)
	} else {
		err = c.writeFlat()
	}
	cut := disarm()
	if err == nil {
		return nil
	}
	if cut && c.raw != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.mu.Lock()
		var rest []byte
		for _, b := range o.rest {
			rest = append(rest, b...)
		}
		c.control = append(rest, c.control...)
		c.mu.Unlock()
		return ctx.Err()
	}
	return c.lose(err)
}

func (c *serverConn) lose(err error) error {
	c.fail(err)
	return fmt.Errorf("h2: the client is lost: %w", err)
}

// writeFlat writes longer pieces than the frames are, for TLS makes a record of each.
func (c *serverConn) writeFlat() error {
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

// cutOff ends a write that waits when its call ends.
type cutOff struct {
	mu    sync.Mutex
	turn  uint64 // counts the writes
	fired bool
}

// arm has the write that follows cut short when ctx ends, or after Stall. What it gives ends that, and says whether ctx did.
func (c *serverConn) arm(ctx context.Context) (disarm func() bool) {
	i := &c.timer
	i.mu.Lock()
	turn := i.turn
	c.deadline()
	i.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.turn != turn {
			return
		}
		i.fired = true
		at := time.Unix(1, 0)
		if c.raw == nil {
			at = time.Now().Add(time.Second) // a record cut short ends the connection: the client has had its time
		}
		_ = c.nc.SetWriteDeadline(at)
	})
	return func() bool {
		stop()
		i.mu.Lock()
		defer i.mu.Unlock()
		i.turn++
		fired := i.fired
		i.fired = false
		_ = c.nc.SetWriteDeadline(time.Time{})
		return fired
	}
}
