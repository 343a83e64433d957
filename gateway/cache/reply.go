package cache

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// The client trusts the lengths in a reply and allocates what they say, at any depth. Something that is no Redis, or a broken one, could
// so end the process. replyGuard reads along and ends the connection before the client sees a length that no reply here can have.
const (
	replyLine  = 4 * kib  // bytes of a line: an error's text, a number, a length
	replyItems = 64 * kib // elements of an array: SCAN gives about a thousand
	replyDepth = 8        // arrays in arrays: XREAD has five
	replySpare = 64 * kib // bytes beyond the largest value
)

var errReply = errors.New("the server's reply is not Redis, or longer than anything asked for")

// replyGuard follows RESP2 through any division into reads. The zero value with a limit is at the start of a reply.
type replyGuard struct {
	limit int // bytes of the longest string
	skip  int // bytes of the present string that are still to come, its line end included
	line  []byte
	open  []int // elements that are still to come, for each array from the outermost to the innermost
}

// scan follows the next bytes of the stream.
func (g *replyGuard) scan(b []byte) error {
	for len(b) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(b))
			g.skip -= n
			b = b[n:]
			if g.skip == 0 {
				g.complete()
			}
			continue
		}
		c := b[0]
		b = b[1:]
		if c != '\n' {
			if len(g.line) == replyLine {
				return errReply
			}
			g.line = append(g.line, c)
			continue
		}
		if err := g.header(); err != nil {
			return err
		}
		g.line = g.line[:0]
	}
	return nil
}

// header takes a whole line: kind, content, carriage return.
func (g *replyGuard) header() error {
	end := len(g.line) - 1
	if end < 1 || g.line[end] != '\r' {
		return errReply
	}
	switch kind, text := g.line[0], g.line[1:end]; kind {
	case '+', '-', ':':
		g.complete()
	case '$':
		n, err := strconv.Atoi(string(text))
		switch {
		case err != nil || n < -1 || n > g.limit+replySpare:
			return errReply
		case n == -1:
			g.complete()
		default:
			g.skip = n + 2
		}
	case '*':
		n, err := strconv.Atoi(string(text))
		switch {
		case err != nil || n < -1 || n > replyItems || len(g.open) == replyDepth:
			return errReply
		case n < 1:
			g.complete()
		default:
			g.open = append(g.open, n)
		}
	default:
		return errReply
	}
	return nil
}

// complete counts an element that has ended, and the arrays that end with it.
func (g *replyGuard) complete() {
	for last := len(g.open) - 1; last >= 0; last-- {
		if g.open[last]--; g.open[last] > 0 {
			return
		}
		g.open = g.open[:last]
	}
}

// guardedConn is a connection whose replies are looked at. One goroutine reads at a time, as the client does.
type guardedConn struct {
	net.Conn
	guard replyGuard
}

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.guard.scan(p[:n]); bad != nil {
		_ = c.Conn.Close()
		return 0, bad
	}
	return n, err
}

// socketConn lets the client see, before it uses an idle connection, that the other side has closed it.
type socketConn struct {
	*guardedConn
	syscall.Conn
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

func guarded(dial dialer, limit int) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		g := &guardedConn{Conn: conn, guard: replyGuard{limit: limit}}
		if socket, ok := conn.(syscall.Conn); ok {
			return socketConn{g, socket}, nil
		}
		return g, nil
	}
}
