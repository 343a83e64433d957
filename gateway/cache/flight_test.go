package cache

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
)

// answer is a flight that gives a value at once.
func answer(value string) work {
	return func(context.Context) ([]byte, Outcome, error) { return []byte(value), Outcome{Stored: true}, nil }
}

func quietFlights() *flights { return newFlights(time.Minute, slog.New(slog.DiscardHandler)) }

func TestOneFlightForAThousandCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, key := quietFlights(), keyOf(1, "a")
		var computes, shared atomic.Int32
		release := make(chan struct{})
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				value, out, err := fs.do(t.Context(), key, share, func(context.Context) ([]byte, Outcome, error) {
					computes.Add(1)
					<-release
					return []byte("v"), Outcome{Stored: true}, nil
				})
				if err != nil || string(value) != "v" {
					t.Errorf("got %q, %v", value, err)
				}
				switch out {
				case Outcome{Hit: true, Detail: "shared"}:
					shared.Add(1)
				case Outcome{Stored: true}:
				default:
					t.Errorf("outcome %+v", out)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if computes.Load() != 1 || shared.Load() != 999 || fs.joined.Load() != 999 || fs.underway() != 0 {
			t.Errorf("%d computations, %d shared, %d joined, %d under way", computes.Load(), shared.Load(), fs.joined.Load(), fs.underway())
		}
	})
}

func TestCanceledLeaderDoesNotFailFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, key := quietFlights(), keyOf(1, "a")
		release := make(chan struct{})
		run := func(ctx context.Context) ([]byte, Outcome, error) {
			select {
			case <-release:
				return []byte("v"), Outcome{}, nil
			case <-ctx.Done():
				return nil, Outcome{}, ctx.Err()
			}
		}
		leader, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, _, err := fs.do(leader, key, share, run)
			if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Canceled {
				t.Errorf("leader: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			value, _, err := fs.do(t.Context(), key, share, run)
			if string(value) != "v" || err != nil {
				t.Errorf("follower: %q, %v", value, err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		all.Wait()
	})
}

func TestLastWaiterCancelsTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, key := quietFlights(), keyOf(1, "a")
		canceled := make(chan struct{})
		hang := func(ctx context.Context) ([]byte, Outcome, error) {
			<-ctx.Done()
			close(canceled)
			return nil, Outcome{}, ctx.Err()
		}
		first, leaveFirst := context.WithCancel(t.Context())
		second, leaveSecond := context.WithTimeout(t.Context(), time.Second)
		defer leaveSecond()
		var all sync.WaitGroup
		all.Go(func() { _, _, _ = fs.do(first, key, share, hang) })
		synctest.Wait()
		all.Go(func() {
			if _, _, err := fs.do(second, key, share, hang); fault.KindOf(err) != fault.Timeout || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("second: %v", err)
			}
		})
		synctest.Wait()
		leaveFirst()
		synctest.Wait()
		select {
		case <-canceled:
			t.Error("canceled while a waiter was left")
		default:
		}
		start := time.Now()
		<-canceled
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("canceled after %v", waited)
		}
		// Nobody joins what is ending.
		value, out, err := fs.do(t.Context(), key, share, answer("new"))
		if string(value) != "new" || out.Hit || err != nil {
			t.Errorf("after it: %q, %+v, %v", value, out, err)
		}
		all.Wait()
	})
}

func TestFlightDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, key := quietFlights(), keyOf(1, "a")
		release := make(chan struct{})
		deaf := func(context.Context) ([]byte, Outcome, error) { <-release; return nil, Outcome{}, nil } // does not look at its context
		start := time.Now()
		_, _, err := fs.do(t.Context(), key, share, deaf)
		if fault.KindOf(err) != fault.Timeout || !strings.Contains(err.Error(), "limits.timeout") || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if value, _, err := fs.do(t.Context(), key, share, answer("new")); string(value) != "new" || err != nil {
			t.Errorf("a new caller got %q, %v from the flight that is over", value, err)
		}
		close(release)
		synctest.Wait()
		if fs.underway() != 0 {
			t.Errorf("%d under way", fs.underway())
		}
	})
}

func TestPanicAndGoexitReachEveryWaiter(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("secret of the stack") }, "goexit": runtime.Goexit, "nil": func() { panic(nil) }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				fs, key := newFlights(time.Minute, slog.New(slog.NewTextHandler(&log, nil))), keyOf(1, "a")
				release := make(chan struct{})
				var all sync.WaitGroup
				for range 3 {
					all.Go(func() {
						_, _, err := fs.do(t.Context(), key, share, func(context.Context) ([]byte, Outcome, error) {
							<-release
							end()
							return nil, Outcome{}, nil
						})
						if fault.KindOf(err) != fault.Internal || err == nil || strings.Contains(err.Error(), "secret") {
							t.Errorf("got %v", err)
						}
					})
				}
				synctest.Wait()
				close(release)
				all.Wait()
				if !strings.Contains(log.String(), "flight_test.go") {
					t.Errorf("no stack in the log: %s", log.String())
				}
			})
		})
	}
}

func TestNestedFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, outer, inner := quietFlights(), keyOf(1, "outer"), keyOf(1, "inner")
		var inners atomic.Int32
		release := make(chan struct{})
		var all sync.WaitGroup
		for _, key := range []Key{outer, keyOf(2, "another"), outer} {
			all.Go(func() {
				value, _, err := fs.do(t.Context(), key, share, func(ctx context.Context) ([]byte, Outcome, error) {
					return fs.do(ctx, inner, share, func(ctx context.Context) ([]byte, Outcome, error) {
						inners.Add(1)
						<-release
						// Asking for what this is part of must not wait for itself.
						return fs.do(ctx, key, share, answer("deep"))
					})
				})
				if string(value) != "deep" || err != nil {
					t.Errorf("got %q, %v", value, err)
				}
			})
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if inners.Load() != 1 {
			t.Errorf("%d inner computations", inners.Load())
		}
	})
}

type tracing struct{}

func TestFlightKeepsTheLeadersValues(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), tracing{}, "span"), time.Hour)
	defer cancel()
	_, _, err := quietFlights().do(ctx, keyOf(1, "a"), share, func(ctx context.Context) ([]byte, Outcome, error) {
		if ctx.Value(tracing{}) != "span" {
			t.Error("the leader's values are lost")
		}
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > time.Minute {
			t.Errorf("deadline %v", deadline)
		}
		return nil, Outcome{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEndedCallerStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := quietFlights().do(ctx, keyOf(1, "a"), share, func(context.Context) ([]byte, Outcome, error) {
		t.Error("computed")
		return nil, Outcome{}, nil
	})
	if fault.KindOf(err) != fault.Canceled {
		t.Error(err)
	}
}
