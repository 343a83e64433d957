package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	tripAfter  = 3                // failures in a row
	tripWindow = 10 * time.Second // and half of at least tripLeast calls within it
	tripLeast  = 20
	probeEvery = 500 * time.Millisecond
)

var (
	errAway = errors.New("Redis does not answer; it is asked again in the background")
	errLeft = errors.New("the caller left") // says nothing about Redis
)

// guard stands before Redis: it bounds the time of each call, and after some failures refuses calls at once until a probe in the
// background, never a user's request, has found Redis well again.
type guard struct {
	log     *slog.Logger
	name    string // what is guarded, for the log
	timeout time.Duration
	breaker *gobreaker.CircuitBreaker[struct{}]
	failed  atomic.Uint64
	opened  chan struct{} // holds one token when the breaker has opened

	mu   sync.Mutex
	last error
}

func newGuard(name string, timeout time.Duration, log *slog.Logger) *guard {
	g := &guard{log: log, name: name, timeout: timeout, opened: make(chan struct{}, 1)}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         name,
		Interval:     tripWindow,
		BucketPeriod: tripWindow / 10,
		Timeout:      probeEvery / 2,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures >= tripAfter || c.Requests >= tripLeast && c.TotalFailures*2 >= c.Requests
		},
		IsExcluded:    func(err error) bool { return errors.Is(err, errLeft) },
		OnStateChange: g.changed,
	})
	return g
}

// changed is called under the breaker's lock.
func (g *guard) changed(_ string, from, to gobreaker.State) {
	switch {
	case from == gobreaker.StateClosed:
		g.mu.Lock()
		last := g.last
		g.mu.Unlock()
		g.log.Warn("the cache goes on without "+g.name+" and asks it again in the background", "error", last)
		select {
		case g.opened <- struct{}{}:
		default:
		}
	case to == gobreaker.StateClosed:
		g.log.Info("the cache uses " + g.name + " again")
	}
}

// run calls op with a deadline, unless Redis is known to be away.
func (g *guard) run(ctx context.Context, op func(context.Context) error) error {
	if g.breaker.State() != gobreaker.StateClosed {
		return errAway
	}
	return g.try(ctx, op)
}

func (g *guard) try(ctx context.Context, op func(context.Context) error) error {
	_, err := g.breaker.Execute(func() (struct{}, error) {
		err := g.attempt(ctx, op)
		if err != nil && !errors.Is(err, errLeft) {
			g.failed.Add(1)
			g.mu.Lock()
			g.last = err
			g.mu.Unlock()
		}
		return struct{}{}, err
	})
	return err
}

func (g *guard) attempt(ctx context.Context, op func(context.Context) error) (err error) {
	limited, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil { // the client library's: a reply that it cannot take
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	err = op(limited)
	if err != nil && ctx.Err() != nil {
		return errLeft
	}
	return err
}

// watch probes at the start, so that a Redis that is not there is known before the first request, and whenever the breaker has opened.
func (g *guard) watch(ctx context.Context, probe func(context.Context) error) {
	for range tripAfter {
		if ctx.Err() != nil || g.try(ctx, probe) == nil {
			break
		}
	}
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.opened:
		}
		for g.breaker.State() != gobreaker.StateClosed {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				_ = g.try(ctx, probe)
			}
		}
	}
}

// failure turns "there is no such key" into no failure.
func failure(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}
