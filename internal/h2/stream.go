package h2

import "context"

// stream is one call.
type stream struct {
	wake chan struct{} // has one place; made when its caller waits for somebody else to read

	// Under the connection's mu.
	poked         bool // something that the caller waits for has happened
	parked        bool // it is in the list of the role
	before, after *stream
	ctx           context.Context // of the wait
	expired       bool            // it has ended
	stop          func() bool     // what watches it

	id       uint32 // 0 until its headers are written
	window   int64  // what the server takes of its body
	sent     bool   // the last of the request is being written, or is
	granted  bool   // it may begin
	blocked  bool   // it is in the connection's list
	finished bool
	err      error

	// Of the reader, until finished.
	answered bool // headers have come
	prefix   [prefixSize]byte
	had      int // bytes of the message with its prefix
	size     int // of the message
	message  []byte
	reply    reply
	trailer  []Field
}

// begin takes one of the streams that the server allows, or waits for one.
func (c *Conn) begin(ctx context.Context, s *stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuses(); err != nil {
		return err
	}
	if c.active < int(min(c.peer.streams, lastID)) && len(c.queue) == 0 {
		c.active++
		return nil
	}
	c.queue = append(c.queue, s)
	for !s.granted {
		c.mu.Unlock()
		_, err := c.wait(ctx, s)
		c.mu.Lock()
		if s.granted {
			break
		}
		if err := c.refuses(); err != nil {
			return err
		}
		if err != nil {
			c.queue = without(c.queue, s)
			return err
		}
	}
	return nil
}

// refuses gives why a call cannot begin. The caller has mu.
func (c *Conn) refuses() error {
	if c.draining != nil {
		return unsent(c.draining)
	}
	return nil
}

// release gives a stream back. The caller has mu.
func (c *Conn) release() {
	c.active--
	c.grant()
}

// grant lets those begin that wait, as far as the server allows. The caller has mu.
func (c *Conn) grant() {
	for len(c.queue) > 0 && c.active < int(min(c.peer.streams, lastID)) {
		s := c.queue[0]
		c.queue = c.queue[1:]
		c.active++
		s.granted = true
		c.poke(s)
	}
}

// finish ends a call with its answer in it, or with an error. The caller has mu; the reader does not touch the stream any more.
func (c *Conn) finish(s *stream, err error) {
	if s.finished {
		return
	}
	c.forget(s)
	s.finished, s.err = true, err
	if !s.sent { // the server did not want to hear it all
		c.control = appendReset(c.control, s.id, CodeCancel)
	}
	c.release()
	c.poke(s)
}

func (c *Conn) forget(s *stream) {
	delete(c.streams, s.id)
	if s.blocked {
		s.blocked = false
		c.blocked = without(c.blocked, s)
	}
}

// unblock lets those look again that wait for window. The caller has mu.
func (c *Conn) unblock() {
	for _, s := range c.blocked {
		s.blocked = false
		c.poke(s)
	}
	clear(c.blocked)
	c.blocked = c.blocked[:0]
}

// giveUp forgets a call that its caller does not wait for any more, and says whether it had finished before.
func (c *Conn) giveUp(s *stream) (finished bool) {
	c.mu.Lock()
	if s.finished {
		c.mu.Unlock()
		return true
	}
	if s.id != 0 {
		c.forget(s)
		c.control = appendReset(c.control, s.id, CodeCancel)
	}
	s.finished = true // whoever reads may be in the middle of its answer
	c.release()
	last := c.isOver()
	c.mu.Unlock()
	c.flushSoon()
	if last {
		c.endDrained()
	}
	return false
}

// isOver says that nothing will happen on the connection any more. The caller has mu.
func (c *Conn) isOver() bool { return c.draining != nil && c.active == 0 }

func (c *Conn) endDrained() {
	c.mu.Lock()
	why := c.draining
	c.mu.Unlock()
	c.fail(why)
}

// without keeps the order.
func without(list []*stream, gone *stream) []*stream {
	for i, s := range list {
		if s == gone {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}
