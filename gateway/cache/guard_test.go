package cache

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

func failing(context.Context) error { return errDown }

func TestOpenGuardLetsNoRequestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := newGuard("Redis", time.Second, slog.New(slog.NewTextHandler(&log, nil)))
		for range tripAfter {
			if err := g.run(t.Context(), failing); !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour) // the bubble's clock: long past the time when the breaker would let one through
		called := false
		if err := g.run(t.Context(), func(context.Context) error { called = true; return nil }); err != errAway || called {
			t.Errorf("%v, called %v", err, called)
		}
		if g.failed.Load() != tripAfter || !strings.Contains(log.String(), "error=down") {
			t.Errorf("%d failures; %s", g.failed.Load(), log.String())
		}
	})
}

func TestGuardProbesInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("Redis", time.Second, slog.New(slog.DiscardHandler))
		var well atomic.Bool
		var probes atomic.Int32
		ctx, stop := context.WithCancel(t.Context())
		go g.watch(ctx, func(context.Context) error {
			probes.Add(1)
			if !well.Load() {
				return errDown
			}
			return nil
		})
		synctest.Wait()
		if probes.Load() != tripAfter { // at the start, before any request
			t.Errorf("%d probes", probes.Load())
		}
		time.Sleep(10*probeEvery + time.Millisecond)
		if probes.Load() != tripAfter+10 {
			t.Errorf("%d probes", probes.Load())
		}
		well.Store(true)
		time.Sleep(probeEvery)
		synctest.Wait()
		if err := g.run(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("after its recovery: %v", err)
		}
		time.Sleep(time.Hour)
		if probes.Load() != tripAfter+11 {
			t.Errorf("%d probes of one that is well", probes.Load())
		}
		stop()
	})
}

func TestGuardTripsOnHalfOfTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("Redis", time.Second, slog.New(slog.DiscardHandler))
		calls := 0
		for ; g.run(t.Context(), func(context.Context) error {
			if calls%2 == 0 {
				return errDown
			}
			return nil
		}) != errAway && calls < 1000; calls++ {
		}
		if calls < tripLeast || calls > tripLeast+2 {
			t.Errorf("open after %d calls", calls)
		}
	})
}

func TestGuardBoundsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("Redis", time.Second, slog.New(slog.DiscardHandler))
		start := time.Now()
		err := g.run(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second || g.failed.Load() != 1 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestDepartedCallersSayNothingAboutRedis: clients that leave must not open the breaker.
func TestDepartedCallersSayNothingAboutRedis(t *testing.T) {
	g := newGuard("Redis", time.Second, slog.New(slog.DiscardHandler))
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		if err := g.run(ctx, func(ctx context.Context) error { cancel(); return ctx.Err() }); err != errLeft {
			t.Fatal(err)
		}
	}
	if g.breaker.State().String() != "closed" || g.failed.Load() != 0 {
		t.Errorf("%v, %d failures", g.breaker.State(), g.failed.Load())
	}
}

func TestGuardTakesAPanicAsAFailure(t *testing.T) {
	g := newGuard("Redis", time.Second, slog.New(slog.DiscardHandler))
	if err := g.run(t.Context(), func(context.Context) error { panic("len out of range") }); err == nil || g.failed.Load() != 1 {
		t.Errorf("%v", err)
	}
}
