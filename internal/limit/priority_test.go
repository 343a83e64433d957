package limit

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// flood sends calls of a class, one each gap, until ctx ends, and gives the waits of those that ran and how many were refused.
func flood(ctx context.Context, l *Limiter, c priority.Class, gap, took time.Duration) (waits func() ([]time.Duration, int)) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var list []time.Duration
	refused := 0
	all.Go(func() {
		for ctx.Err() == nil {
			all.Go(func() {
				release, waited, err := l.Acquire(priority.With(context.WithoutCancel(ctx), c))
				mu.Lock()
				if err != nil {
					refused++
				} else {
					list = append(list, waited)
				}
				mu.Unlock()
				if err == nil {
					time.Sleep(took)
					release()
				}
			})
			time.Sleep(gap)
		}
	})
	return func() ([]time.Duration, int) {
		all.Wait()
		slices.Sort(list)
		return list, refused
	}
}

// A flood of batch calls, five times what four places can do, while realtime calls take a quarter of them: those wait for a place that becomes free, and no longer, but for the
// places that old batch calls have; batch has all the rest.
func TestRealtimeDoesNotWaitBehindAFloodOfBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 40 * time.Millisecond // 100 calls a second
		var meter priority.Meter
		l := New(4, 256).Under(priority.Policy{Meter: &meter})
		ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
		defer stop()
		batch := flood(ctx, l, priority.Batch, 2*time.Millisecond, took)
		time.Sleep(10 * time.Second)
		realtime := flood(ctx, l, priority.Realtime, 40*time.Millisecond, took)
		waits, refused := realtime()
		if n := len(waits); refused != 0 || n < 1200 {
			t.Fatalf("%d realtime calls, %d refused", n, refused)
		}
		if p50, p99 := waits[len(waits)/2], waits[len(waits)*99/100]; p50 > took/2 || p99 > 2*took {
			t.Errorf("realtime waits %v at the median, %v at the 99th percentile", p50, p99)
		}
		ran, turned := batch()
		if n := len(ran); n < 4500 || n > 5200 || turned < 20_000 { // 75 a second beside realtime, 100 before; and those that waited at the end
			t.Errorf("%d batch calls ran, %d were turned away", n, turned)
		}
		f := meter.Figures()
		if f[0].Refused != 0 || f[2].Refused != uint64(turned) || f[2].Waits < 4000 || f[0].Waited > time.Duration(len(waits))*took {
			t.Errorf("%+v", f)
		}
	})
}

// Realtime calls take all that there is and more: batch goes on, at its share and by its age.
func TestBatchDoesNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took, ageing = 10 * time.Millisecond, 2 * time.Second
		l := New(1, 100_000).Under(priority.Policy{Rules: priority.Rules{Ageing: ageing}})
		ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
		defer stop()
		realtime := flood(ctx, l, priority.Realtime, 5*time.Millisecond, took) // twice what there is
		batch := flood(ctx, l, priority.Batch, time.Second, took)
		ran, refused := batch()
		if len(ran) < 60 || refused != 0 || ran[len(ran)-1] > ageing+9*took {
			t.Errorf("%d batch calls ran, %d were refused; the longest wait is %v", len(ran), refused, ran[len(ran)-1])
		}
		realtime()
	})
}

// Where the line is full, the newest of the least urgent ones is turned out, and told so.
func TestAFullLineMakesRoomForTheUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 2).Named("limits.x")
		hold, _, _ := l.Acquire(t.Context())
		type end struct {
			name string
			err  error
		}
		ends := make(chan end, 10)
		call := func(c priority.Class, name string) {
			go func() {
				release, _, err := l.Acquire(priority.With(t.Context(), c))
				ends <- end{name, err}
				if err == nil {
					release()
				}
			}()
			synctest.Wait()
		}
		call(priority.Batch, "batch 1")
		call(priority.Batch, "batch 2")
		call(priority.Batch, "batch 3")
		if e := <-ends; e.name != "batch 3" || fault.KindOf(e.err) != fault.Busy {
			t.Errorf("%+v", e)
		}
		urgent := priority.With(t.Context(), priority.Realtime)
		if err := l.Full(urgent); err != nil {
			t.Errorf("realtime is told that there is no room: %v", err)
		}
		if err := l.Full(priority.With(t.Context(), priority.Batch)); fault.KindOf(err) != fault.Busy {
			t.Errorf("batch is told %v", err)
		}
		call(priority.Realtime, "realtime 1")
		if e := <-ends; e.name != "batch 2" || fault.KindOf(e.err) != fault.Busy {
			t.Errorf("%+v", e)
		}
		call(priority.Interactive, "interactive 1")
		if e := <-ends; e.name != "batch 1" || fault.KindOf(e.err) != fault.Busy {
			t.Errorf("%+v", e)
		}
		call(priority.Interactive, "interactive 2")
		if e := <-ends; e.name != "interactive 2" || e.err == nil {
			t.Errorf("%+v", e)
		}
		hold()
		for _, want := range []string{"realtime 1", "interactive 1"} {
			if e := <-ends; e.name != want || e.err != nil {
				t.Errorf("%+v, not %s", e, want)
			}
		}
		if s := l.Stats(); s.Running != 0 || s.Waiting != 0 || s.Refused != 5 || s.Left != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Callers of all classes come, wait, leave and are turned out at random: every place comes back.
func TestNothingIsLostAmongClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		l, b := New(3, 10), NewBytes(100)
		var all sync.WaitGroup
		for range 5000 {
			ctx, cancel := context.WithTimeout(priority.With(t.Context(), priority.All()[r.IntN(3)]), time.Duration(1+r.IntN(20))*time.Millisecond)
			took, n := time.Duration(r.IntN(5))*time.Millisecond, int64(r.IntN(100))
			all.Go(func() {
				defer cancel()
				if release, _, err := l.Acquire(ctx); err == nil {
					defer release()
				}
				if release, err := b.Acquire(ctx, n); err == nil {
					defer release()
				}
				time.Sleep(took)
			})
			if r.IntN(3) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		all.Wait()
		if s := l.Stats(); s.Running != 0 || s.Waiting != 0 || s.Refused == 0 || s.Left == 0 {
			t.Errorf("%+v", s)
		}
		if s := b.Stats(); s.Used != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBytesAreServedByClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(10)
		hold, _ := b.Acquire(t.Context(), 10)
		var order []priority.Class
		var all sync.WaitGroup
		for _, c := range []priority.Class{priority.Batch, priority.Interactive, priority.Realtime} {
			all.Go(func() {
				release, err := b.Acquire(priority.With(t.Context(), c), 10)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, c)
				release()
			})
			synctest.Wait()
		}
		hold()
		all.Wait()
		if !slices.Equal(order, []priority.Class{priority.Realtime, priority.Interactive, priority.Batch}) {
			t.Errorf("served in the order %v", order)
		}
	})
}

// Who finds a place pays nothing for the classes.
func TestAFreePlaceCostsNoMore(t *testing.T) {
	l := New(1, 1)
	ctx := priority.With(t.Context(), priority.Realtime)
	if n := testing.AllocsPerRun(100, func() {
		release, _, _ := l.Acquire(ctx)
		release()
	}); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
