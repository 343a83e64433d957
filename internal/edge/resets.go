package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// resetWindow is the time in which calls that are given up are counted.
	resetWindow = 10 * time.Second
	// fewResets are never too many: as many as a client has under way, twice.
	fewResets = 512
)

// resets counts the requests of one connection of HTTP/2 that its client gives up.
type resets struct {
	mu    sync.Mutex
	given Ratio
}

// Ratio tells a client that gives its calls up as fast as it makes them from one that gives some up: too many are more than few of them and more than half of
// those made, in resetWindow. The zero value is useful.
type Ratio struct {
	since         time.Time
	made, givenUp int
}

// Made notes a call.
func (r *Ratio) Made(now time.Time) {
	if now.Sub(r.since) > resetWindow {
		*r = Ratio{since: now}
	}
	r.made++
}

// GivenUp notes that a call was given up, and says whether these are too many.
func (r *Ratio) GivenUp(few int) bool {
	r.givenUp++
	return r.givenUp > few && 2*r.givenUp > r.made
}

type connKey struct{}

// Context is for [http.Server.ConnContext]: it lets [Door.Calls] find the connection.
func (d *Door) Context(ctx context.Context, nc net.Conn) context.Context {
	if c := connOf(nc); c != nil {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Calls closes connections of HTTP/2 whose client gives its requests up as fast as it makes them. What a server of the standard library bounds is how many it has
// at a time.
func (d *Door) Calls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			next.ServeHTTP(w, r)
			return
		}
		c, _ := r.Context().Value(connKey{}).(*Conn)
		if c == nil {
			next.ServeHTTP(w, r)
			return
		}
		defer func() {
			c.resets.mu.Lock()
			c.resets.given.Made(time.Now())
			many := errors.Is(r.Context().Err(), context.Canceled) && c.resets.given.GivenUp(fewResets)
			c.resets.mu.Unlock()
			if many && !c.gone.Load() {
				d.counts.Add(Resets)
				_ = c.Close()
			}
		}()
		next.ServeHTTP(w, r)
	})
}
