package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/internal/fault"
)

// pingFor is how long a Redis that is known to be away has to say that it is back.
const pingFor = 250 * time.Millisecond

// absence remembers that Redis is away, so that not every caller waits to find out. Any call that is done ends it.
type absence struct {
	mu    sync.Mutex
	known bool
	asked *question // under way; nil: none
}

// question is one ping that many wait for.
type question struct {
	done chan struct{}
	err  error // once done is closed
}

// note remembers what a call came to, and gives it back.
func (a *absence) note(err error) error {
	if fault.KindOf(err) == fault.Unavailable {
		a.mu.Lock()
		a.known = true
		a.mu.Unlock()
	}
	return err
}

// over notes that Redis is there.
func (a *absence) over() {
	a.mu.Lock()
	a.known = false
	a.mu.Unlock()
}

// check gives nil where Redis is not known to be away, or is back; otherwise why it is not. All who ask while a ping is under way wait for that one.
func (a *absence) check(ctx context.Context, client goredis.UniversalClient) error {
	a.mu.Lock()
	if !a.known {
		a.mu.Unlock()
		return nil
	}
	q := a.asked
	if q != nil {
		a.mu.Unlock()
		select {
		case <-q.done:
			return q.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	q = &question{done: make(chan struct{})}
	a.asked = q
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingFor) // for the others too
	defer cancel()
	q.err = client.Ping(ctx).Err()
	a.mu.Lock()
	a.asked = nil
	if q.err == nil {
		a.known = false
	}
	a.mu.Unlock()
	close(q.done)
	return q.err
}

// errUndialled says that nothing was sent.
var errUndialled = errors.New("no connection")

// undialled is a connection that could not be made: whatever is done with it fails as the dial did. The client's pool counts dials that fail, and after some of them makes
// no more for a second at a time, however many calls wait; a Redis that is back is to be found at once.
type undialled struct{ err error }

var _ net.Conn = undialled{}

func (u undialled) Read([]byte) (int, error)         { return 0, u.err }
func (u undialled) Write([]byte) (int, error)        { return 0, u.err }
func (u undialled) Close() error                     { return nil }
func (u undialled) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (u undialled) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (u undialled) SetDeadline(time.Time) error      { return nil }
func (u undialled) SetReadDeadline(time.Time) error  { return nil }
func (u undialled) SetWriteDeadline(time.Time) error { return nil }
