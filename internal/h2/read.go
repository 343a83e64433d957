package h2

import (
	"errors"
	"fmt"
	"io"
)

// read is the goroutine of the connection.
func (c *Conn) read() {
	err := c.readFrames()
	c.fail(err)
}

func lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("h2: the server closed the connection")
	}
	return fmt.Errorf("h2: the connection is lost: %w", err)
}

// readFrames ends with the connection.
func (c *Conn) readFrames() error {
	first := true
	for {
		head, err := c.in.take(headSize)
		if err != nil {
			return lost(err)
		}
		f := parseFrame(head)
		if f.length > frameLimit {
			return violation("a frame of %d bytes, the limit is %d", f.length, frameLimit)
		}
		if first && (f.kind != frameSettings || f.has(flagAck)) {
			return violation("it does not begin with SETTINGS, so this is no HTTP/2 server, or one without gRPC")
		}
		if err := c.readFrame(f); err != nil {
			return err
		}
		if first {
			first = false
			close(c.ready)
		}
	}
}

func (c *Conn) readFrame(f frame) error {
	switch f.kind {
	case frameData:
		return c.readData(f)
	case frameHeaders:
		return c.readHeaders(f)
	case frameContinuation, framePush:
		return violation("a frame of type %d has no place here", f.kind)
	}
	if f.kind != frameWindow {
		if err := c.floods.count(); err != nil {
			return err
		}
	}
	switch f.kind {
	case frameSettings, framePing, frameGoAway, frameWindow, frameReset:
		if f.length > controlLimit {
			return violation("a frame of type %d with %d bytes", f.kind, f.length)
		}
		body, err := c.in.take(f.length)
		if err != nil {
			return lost(err)
		}
		return c.obey(f, body)
	}
	if err := c.in.skip(f.length); err != nil { // PRIORITY, and what this package does not know
		return lost(err)
	}
	return nil
}

// find gives the stream that a frame belongs to, nil where its caller has given it up.
func (c *Conn) find(id uint32) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == 0 || id%2 == 0 || id >= c.nextID {
		return nil, violation("a frame for stream %d, which nobody opened", id)
	}
	return c.streams[id], nil
}

// readData takes a part of an answer.
func (c *Conn) readData(f frame) error {
	s, err := c.find(f.id)
	if err != nil {
		return err
	}
	if c.received += f.length; c.received > maxWindow {
		return violation("more data than its window")
	}
	n, padding, err := c.padding(f)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := c.floods.count(); err != nil {
			return err
		}
	}
	if s != nil {
		var refused error
		if n, refused, err = s.fill(&c.in, n, c.options.MaxAnswer); err != nil {
			return lost(err)
		}
		if refused != nil {
			c.end(s, refused)
		} else if f.has(flagEndStream) {
			c.end(s, broken("the answer ends without a status"))
		}
	}
	if err := c.in.skip(n + padding); err != nil {
		return lost(err)
	}
	if c.received >= refill {
		c.mu.Lock()
		c.control = appendWindow(c.control, 0, uint32(c.received))
		c.mu.Unlock()
		c.received = 0
		c.flushSoon()
	}
	return nil
}

// padding gives the length of a frame's content and of what follows it, and takes what stands before it.
func (c *Conn) padding(f frame) (n, padding int, err error) {
	n = f.length
	if f.has(flagPadded) {
		b, err := c.in.take(min(1, n))
		if err != nil {
			return 0, 0, lost(err)
		}
		if len(b) == 0 || int(b[0]) >= n {
			return 0, 0, violation("padding longer than its frame")
		}
		padding = int(b[0])
		n -= 1 + padding
	}
	return n, padding, nil
}

// end ends a call by what the server has sent. A stream that the server has not ended is told to the server.
func (c *Conn) end(s *stream, err error) {
	c.mu.Lock()
	c.finish(s, err)
	over, control := c.isOver(), len(c.control) > 0
	c.mu.Unlock()
	if control {
		c.flushSoon()
	}
	if over {
		c.endDrained()
	}
}

// reject ends a call whose answer is none, and tells the server.
func (c *Conn) reject(s *stream, err error) {
	c.mu.Lock()
	s.sent = false // so that it is told
	c.mu.Unlock()
	c.end(s, err)
}
