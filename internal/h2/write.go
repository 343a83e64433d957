package h2

import (
	"context"
	"errors"
	"fmt"
)

var errUsedUp = errors.New("h2: all stream numbers of the connection are used up")

const (
	// turn is how much of a body is written before others may write.
	turn = 1 << 20
	// copyLimit is the length of a turn up to which it is copied into one buffer: that is cheaper than a list of buffers.
	copyLimit = 1 << 14
	// pieceLimit is the same for a piece of a longer turn.
	pieceLimit = 1 << 10
)

// lock takes the write lock.
func (c *Conn) lock(ctx context.Context) error {
	select {
	case c.writing <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send writes the request, in turns as large as the server's windows allow.
func (c *Conn) send(ctx context.Context, s *stream, r *request) error {
	for r.left > 0 {
		if err := c.lock(ctx); err != nil {
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
	must, start, total := len(o.bytes), 0, len(o.bytes)
	limit = min(limit, sendLimit)
	small := copyLimit
	if n > copyLimit {
		small = pieceLimit
	}
	for n > 0 {
		size, flags := min(n, limit), byte(0)
		if size == r.left {
			flags = flagEndStream
		}
		o.bytes = appendFrame(o.bytes, size, frameData, flags, s.id)
		total += headSize + size
		o.ends = append(o.ends, total)
		n, r.left = n-size, r.left-size
		for size > 0 {
			piece := r.next(size)
			size -= len(piece)
			if len(piece) <= small {
				o.bytes = append(o.bytes, piece...) // may move; what the vector points to stays as it is
				continue
			}
			o.vector = append(o.vector, o.bytes[start:len(o.bytes):len(o.bytes)], piece)
			start = len(o.bytes)
		}
	}
	if start < len(o.bytes) {
		o.vector = append(o.vector, o.bytes[start:])
	}
	return c.write(ctx, s, must, total)
}
