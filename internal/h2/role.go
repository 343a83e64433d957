package h2

import (
	"context"
	"time"
)

const (
	// tickTime is how late a call may see the end of its ctx. To have each call heeded from its first moment would cost as much as a wake.
	tickTime = 10 * time.Millisecond
	// restTicks is for how many ticks nobody reads before the connection's own goroutine does.
	restTicks = 10
)

// role is the right to read, which one goroutine has at a time. The caller of the only call there is has it, and so takes its own answer from the socket
// instead of being woken for it. The connection's goroutine has it where there are several calls, for then somebody has to be woken anyway, and soon
// after the last, so that the end of the connection is seen. Everything here is under the connection's mu.
type role struct {
	held   bool
	reader *stream       // the call whose caller has it; nil where the connection's goroutine has it, or has been told to take it
	cut    bool          // the deadline of reads is set, to end the reader's
	turn   chan struct{} // tells the connection's goroutine; has one place, and nobody tells it but who has taken the role for it

	first, last *stream // the calls whose callers sleep

	timer   *time.Timer // of the tick
	ticking bool
	uses    uint // how often the role was taken
	seen    uint // uses at the last tick
	quiet   int  // ticks without a use
}

// take is for when nobody has it.
func (r *role) take(s *stream) {
	r.held, r.reader = true, s
	r.uses++
}

func (r *role) park(s *stream) {
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	s.parked = true
	if s.before = r.last; r.last != nil {
		r.last.after = s
	} else {
		r.first = s
	}
	r.last = s
}

// unpark wakes the caller of s if it sleeps.
func (r *role) unpark(s *stream) {
	if !s.parked {
		return
	}
	s.parked = false
	if s.before != nil {
		s.before.after = s.after
	} else {
		r.first = s.after
	}
	if s.after != nil {
		s.after.before = s.before
	} else {
		r.last = s.before
	}
	s.before, s.after = nil, nil
	s.wake <- struct{}{} // has a place: one for each time in the list, and who was in it takes it
}

// poke tells the caller of s that something has changed for it. The caller of poke has mu.
func (c *Conn) poke(s *stream) {
	s.poked = true
	c.role.unpark(s)
}

// pass gives the role to the connection's goroutine if anybody sleeps, else to nobody. Whoever comes to sleep looks first whether it is held, also under
// mu, so that nobody sleeps while nobody reads. The caller has mu and the role.
func (c *Conn) pass() {
	r := &c.role
	if r.cut {
		r.cut = false
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	r.reader = nil
	if r.first != nil {
		c.role.turn <- struct{}{}
		return
	}
	r.held = false
	c.tickOn()
}

// wait reads until s is poked or finished, or sleeps while somebody else reads. The error is that of ctx. A caller that reads takes what comes for others, too.
func (c *Conn) wait(ctx context.Context, s *stream) (finished bool, err error) {
	r := &c.role
	c.mu.Lock()
	s.ctx = ctx
	c.tickOn()
	s.expired = ctx.Err() != nil
	for mine := false; ; {
		if s.poked || s.finished || s.expired {
			if mine {
				c.pass()
			}
			break
		}
		if !r.held {
			if mine = c.active <= 1; mine {
				r.take(s)
			} else {
				r.take(nil)
				c.role.turn <- struct{}{}
			}
		}
		if mine {
			c.mu.Unlock()
			err := c.receive()
			c.mu.Lock()
			if err != nil && !(r.cut && isCut(err)) {
				c.mu.Unlock()
				c.fail(err)
				c.mu.Lock()
			}
			continue
		}
		r.park(s)
		c.mu.Unlock()
		<-s.wake
		c.mu.Lock()
	}
	if s.expired && !s.poked && !s.finished {
		err = ctx.Err()
	}
	finished, s.poked = s.finished, false
	stop := s.stop
	s.stop = nil
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	return finished, err
}

// heed has the end of a call's ctx end its wait. The caller has mu.
func (c *Conn) heed(s *stream) {
	if s.ctx == nil || s.stop != nil {
		return
	}
	s.stop = context.AfterFunc(s.ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		s.expired = true
		if c.role.reader == s {
			c.role.cut = true
			_ = c.nc.SetReadDeadline(time.Unix(1, 0))
		}
		c.role.unpark(s)
	})
}

// tick looks after those who read and wait, and after the time in which nobody does.
func (c *Conn) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.role
	r.ticking = false
	if c.err != nil {
		return
	}
	if r.quiet++; r.held || r.uses != r.seen {
		r.seen, r.quiet = r.uses, 0
	}
	if r.quiet == restTicks {
		r.take(nil)
		c.role.turn <- struct{}{}
	}
	if r.reader != nil {
		c.heed(r.reader)
	}
	for s := r.first; s != nil; s = s.after {
		c.heed(s)
	}
	if !r.held || r.reader != nil || r.first != nil {
		c.tickOn()
	}
}

// tickOn has mu.
func (c *Conn) tickOn() {
	if !c.role.ticking {
		c.role.ticking = true
		c.role.timer.Reset(tickTime)
	}
}

// watch is the goroutine of the connection. It has the role at first, where several wait, and whenever nobody has wanted it for a while.
func (c *Conn) watch() {
	for calls := uint32(0); ; {
		for done := false; !done; {
			if err := c.receive(); err != nil {
				c.fail(err)
				return
			}
			c.mu.Lock()
			if done = c.raw != nil && c.role.first == nil && c.active == 0 && c.nextID != calls; done {
				c.pass()
			}
			c.mu.Unlock()
		}
		select {
		case <-c.dead:
			return
		case <-c.role.turn:
		}
		c.mu.Lock()
		calls = c.nextID
		c.mu.Unlock()
	}
}

// Stands reports whether calls can be made, after a look at what has come while nobody read: Err hears of an end within a tenth of a second, Stands at once.
func (c *Conn) Stands() bool {
	c.look(nil)
	return c.Err() == nil
}

// look takes what has come while nobody read, above all the end of the connection, so that a call is not sent on one that the server has left.
func (c *Conn) look(s *stream) {
	c.mu.Lock()
	free := c.raw != nil && !c.role.held && c.err == nil
	if free {
		c.role.take(s)
	}
	c.mu.Unlock()
	if !free {
		return
	}
	if err := c.receiveNow(); err != nil {
		c.fail(err)
	}
	c.mu.Lock()
	c.pass()
	c.mu.Unlock()
}
