package limit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunsWaitsRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 1).Named("limits.x")
		first, waited, err := l.Acquire(t.Context())
		if err != nil || waited != 0 {
			t.Fatal(waited, err)
		}
		second, _, _ := l.Acquire(t.Context())
		time.Sleep(3 * time.Second) // the bubble's clock, here and below
		go func() {
			third, waited, err := l.Acquire(t.Context())
			if err != nil || waited != 2*time.Second {
				t.Errorf("third: waited %v, %v", waited, err)
			}
			third()
		}()
		synctest.Wait()
		if got := l.Stats(); got != (Stats{Running: 2, Capacity: 2, Waiting: 1, Queue: 1}) {
			t.Errorf("%+v", got)
		}
		_, _, err = l.Acquire(t.Context())
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Busy || f.Code != "queue_full" || f.RetryAfter != guess || !strings.Contains(f.Detail, "limits.x") {
			t.Errorf("fourth: %v, retry after %v", err, f.RetryAfter)
		}
		time.Sleep(2 * time.Second)
		first()
		first() // does nothing
		synctest.Wait()
		second()
		if got := l.Stats(); got.Running != 0 || got.Waiting != 0 || got.Refused != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestRetryAfterIsTheTimeThatTheQueueNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 4)
		for range 20 {
			release, _, _ := l.Acquire(t.Context())
			time.Sleep(3 * time.Second)
			release()
		}
		hold := func() {
			release, _, err := l.Acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(3 * time.Second)
			release()
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(hold)
		}
		synctest.Wait()
		_, _, err := l.Acquire(t.Context())
		var f *fault.Error
		if !errors.As(err, &f) || f.RetryAfter != 9*time.Second { // six callers, two at a time, 3 s each
			t.Errorf("%v, %+v", err, f)
		}
		start := time.Now()
		all.Wait()
		if passed := time.Since(start); passed != 9*time.Second {
			t.Errorf("it was %v", passed)
		}
	})
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 100)
		hold, _, _ := l.Acquire(t.Context())
		var order []int // only who runs writes it
		for i := range 50 {
			go func() {
				release, _, err := l.Acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				release()
			}()
			synctest.Wait()
		}
		hold()
		synctest.Wait()
		for i, got := range order {
			if i != got {
				t.Fatalf("order %v", order)
			}
		}
		if len(order) != 50 {
			t.Errorf("%d served", len(order))
		}
	})
}

func TestWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 2)
		hold, _, _ := l.Acquire(t.Context())
		canceled, cancel := context.WithCancel(t.Context())
		late, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var all sync.WaitGroup
		for ctx, kind := range map[context.Context]fault.Kind{canceled: fault.Canceled, late: fault.Timeout} {
			all.Go(func() {
				_, _, err := l.Acquire(ctx)
				if fault.KindOf(err) != kind || !errors.Is(err, ctx.Err()) {
					t.Errorf("want kind %d, got %v", kind, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		if got := l.Stats(); got.Waiting != 0 || got.Left != 2 || got.Running != 1 {
			t.Errorf("%+v", got)
		}
		hold()
		if _, _, err := l.Acquire(canceled); fault.KindOf(err) != fault.Canceled {
			t.Errorf("an ended caller got in: %v", err)
		}
		if got := l.Stats(); got.Running != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSmallestLimits(t *testing.T) {
	l := New(-3, -1)
	release, _, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Acquire(t.Context()); fault.KindOf(err) != fault.Busy {
		t.Errorf("got %v", err)
	}
	release()
}

// TestStorm: under cancellations at any moment, never more than capacity run, and in the end nobody runs or waits.
func TestStorm(t *testing.T) {
	l := New(3, 5)
	var mu sync.Mutex
	running, most := 0, 0
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		running += by
		most = max(most, running)
	}
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+worker)%3 == 0 {
					go cancel()
				}
				if release, _, err := l.Acquire(ctx); err == nil {
					count(1)
					count(-1)
					release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if got := l.Stats(); got.Running != 0 || got.Waiting != 0 || most > 3 || most == 0 {
		t.Errorf("%+v, %d at once", got, most)
	}
}

func BenchmarkAcquire(b *testing.B) {
	l := New(1000, 0)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			release, _, err := l.Acquire(ctx)
			if err != nil {
				b.Error(err)
				return
			}
			release()
		}
	})
}

// TestTurnAndDepartureAtOnce: a place given to a caller that leaves at the same moment is not lost.
func TestTurnAndDepartureAtOnce(t *testing.T) {
	l, b := New(1, 1), NewBytes(1)
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			_, _, _ = l.Acquire(t.Context())
			_, _ = b.Acquire(t.Context(), 1)
			go func() {
				if release, _, err := l.Acquire(ctx); err == nil {
					release()
				}
			}()
			go func() {
				if release, err := b.Acquire(ctx, 1); err == nil {
					release()
				}
			}()
			synctest.Wait()
			l.mu.Lock() // both see the end of ctx only after they have been given the place
			b.mu.Lock()
			cancel()
			l.running--
			l.admit()
			b.used--
			b.admit()
			b.mu.Unlock()
			l.mu.Unlock()
			synctest.Wait()
			if l.Stats().Running != 0 || b.Stats().Used != 0 {
				t.Fatalf("%+v, %+v", l.Stats(), b.Stats())
			}
		})
	}
}

func TestFullSaysWhatAcquireWould(t *testing.T) {
	l := New(1, 0).Named("limits.workers")
	if err := l.Full(t.Context()); err != nil {
		t.Fatalf("nobody is there: %v", err)
	}
	release, _, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Full(t.Context()); fault.KindOf(err) != fault.Busy || !strings.Contains(err.Error(), "limits.workers") || l.Stats().Refused != 1 {
		t.Errorf("%v, %+v", err, l.Stats())
	}
	release()
	if err := l.Full(t.Context()); err != nil {
		t.Errorf("free again: %v", err)
	}
}
