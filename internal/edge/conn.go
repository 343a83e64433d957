package edge

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a connection that has passed a door. What is written to it has to be read at the door's rate, unless somebody sets a deadline for it.
type Conn struct {
	net.Conn
	door *Door
	from netip.Addr

	idle   atomic.Int64 // since when, in Unix nanoseconds; 0: it is not
	fresh  atomic.Bool  // no request has come
	late   atomic.Bool  // the last read ran into its deadline
	gone   atomic.Bool
	owned  atomic.Bool  // a deadline for writes is set by somebody else
	until  atomic.Int64 // the deadline for writes that is set here, in Unix nanoseconds
	resets resets
}

// Unwrap gives the connection below, for who sets deadlines himself.
func (c *Conn) Unwrap() net.Conn { return c.Conn }

// SyscallConn gives the socket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite ends what is sent.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Read reads.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if late := err != nil && errors.Is(err, os.ErrDeadlineExceeded); late != c.late.Load() {
		c.late.Store(late)
	}
	return n, err
}

// Write writes, as long as the client reads.
func (c *Conn) Write(b []byte) (int, error) {
	own := !c.owned.Load()
	if own {
		now, needs := time.Now(), c.door.limits.Rate.For(len(b))
		if c.until.Load() < now.Add(Slack/2+needs).UnixNano() { // not at each write: a deadline costs more than a short write's copy
			until := now.Add(Slack + needs)
			c.until.Store(until.UnixNano())
			if err := c.Conn.SetWriteDeadline(until); err != nil {
				return 0, err
			}
		}
	}
	n, err := c.Conn.Write(b)
	if own && err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.door.counts.Add(SlowReader)
	}
	return n, err
}

// SetWriteDeadline takes the deadline over, until it is set to none.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.owned.Store(!t.IsZero())
	c.until.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline takes the deadline for writes over too.
func (c *Conn) SetDeadline(t time.Time) error {
	c.owned.Store(!t.IsZero())
	c.until.Store(0)
	return c.Conn.SetDeadline(t)
}

// Close closes it, and makes room for another.
func (c *Conn) Close() error {
	if !c.gone.Swap(true) {
		c.door.mu.Lock()
		c.door.forget(c)
		c.door.mu.Unlock()
	}
	return c.Conn.Close()
}
