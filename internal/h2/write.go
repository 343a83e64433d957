package h2

import (
	"context"
	"errors"
	"fmt"
)

var errUsedUp = errors.New("h2: all stream numbers of the connection are used up")

// turn is how much of a body is written before others may write.
const turn = 1 << 20

// send writes the request, in turns as large as the server's windows allow.
func (c *Conn) send(ctx context.Context, s *stream, r *request) error {
	for r.left > 0 {
		if err := c.writing.lock(ctx); err != nil {
			return err
		}
		n, err := c.plan(s, r)
		switch {
		case err != nil:
		case n > 0 || !r.begun:
			err = c.writeTurn(ctx, s, r, n)
		default:
			c.unlock()
			if _, err := c.wait(ctx, s); err != nil {
				return err
			}
			continue
		}
		c.unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// plan takes the window for the next turn, and what there is of control frames. The caller has the write lock. The first time, it makes the stream known.
func (c *Conn) plan(s *stream, r *request) (int, error) {
	o := &c.out
	o.bytes, o.vector, o.ends = o.bytes[:0], o.vector[:0], o.ends[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.finished {
		return 0, errFinished
	}
	if !r.begun {
		if err := c.open(s, r.list); err != nil {
			return 0, err
		}
	}
	n := int(max(0, min(int64(r.left), s.window, c.peer.window, turn)))
	if n == 0 && r.begun {
		if !s.blocked {
			s.blocked = true
			c.blocked = append(c.blocked, s)
		}
		return 0, nil
	}
	s.window -= int64(n)
	c.peer.window -= int64(n)
	s.sent = n == r.left
	o.bytes = append(o.bytes, c.control...)
	c.control, c.answers = c.control[:0], 0
	return n, nil
}

// open gives the stream its number. The caller has mu and the write lock, so that numbers go out in order.
func (c *Conn) open(s *stream, list uint32) error {
	if c.err == nil && c.nextID > lastID {
		c.drain(errUsedUp)
	}
	if err := c.refuses(); err != nil {
		return err
	}
	if list > c.peer.headers {
		return fmt.Errorf("%w: %d bytes of headers, and the server takes %d", ErrRequest, list, c.peer.headers)
	}
	s.id, s.window = c.nextID, c.peer.initial
	c.nextID += 2
	c.streams[s.id] = s
	return nil
}

// writeTurn writes n bytes of the body as frames, with the headers before the first. The caller has the write lock.
func (c *Conn) writeTurn(ctx context.Context, s *stream, r *request, n int) error {
	o := &c.out
	c.mu.Lock()
	limit, table := c.peer.frame, c.peer.table
	c.mu.Unlock()
	if !r.begun {
		r.begun = true
		o.appendHeaders(ctx, c, s.id, r, limit, table)
	}
	must := len(o.bytes)
	o.seal(o.data(&r.unsentMessage, n, s.id, flagEndStream, min(limit, sendLimit)))
	return c.write(ctx, s, must)
}
