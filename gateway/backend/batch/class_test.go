package batch

import (
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// Of calls that wait for a batch, the urgent ones are in the next one.
func TestTheUrgentAreInTheNextBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{hang: make(chan struct{})}
		var meter priority.Meter
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 2, Bound: time.Hour, Inexact: true} }, Log: slog.New(slog.DiscardHandler), Priorities: priority.Policy{Meter: &meter}})
		var all sync.WaitGroup
		call := func(class priority.Class) {
			all.Go(func() {
				if _, err := b.Infer(priority.With(t.Context(), class), request(1)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 1 + 2*(crowded-1) { // one alone, and full batches beside it
			call(priority.Interactive)
		}
		for _, c := range []priority.Class{priority.Batch, priority.Batch, priority.Interactive, priority.Interactive, priority.Realtime, priority.Realtime} {
			call(c)
		}
		var g *group
		for _, g = range b.groups {
		}
		for i, want := range [][priority.Classes]int64{{2, 2, 2}, {0, 2, 2}, {0, 0, 2}, {0, 0, 0}} {
			if i > 0 {
				g.mu.Lock()
				g.flush()
				g.mu.Unlock()
				synctest.Wait()
			}
			for c := range want {
				if n := g.load.waiting[c].Load(); n != want[c] {
					t.Errorf("after %d batches %d of class %d wait, not %d", i, n, c, want[c])
				}
			}
		}
		close(m.hang)
		all.Wait()
		if f := meter.Figures(); f[0].Waits != 2 || f[1].Waits != 2+2*(crowded-1) || f[2].Waits != 2 {
			t.Errorf("%+v", f)
		}
	})
}

// Where too many wait, the urgent call takes the place of the newest of the least urgent ones.
func TestAFullLineOfBatchesMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &gated{mill: &mill{hang: make(chan struct{})}}
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 2, Bound: time.Hour, Inexact: true} }, Log: slog.New(slog.DiscardHandler)})
		var all sync.WaitGroup
		var mu sync.Mutex
		turned := 0
		low := priority.With(t.Context(), priority.Batch)
		for range 1 + 2*(crowded-1) + mostWaiting {
			all.Go(func() {
				if _, err := b.Infer(low, request(1)); fault.KindOf(err) == fault.Busy && err != nil {
					mu.Lock()
					turned++
					mu.Unlock()
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := b.Full(low, "m", "1"); fault.KindOf(err) != fault.Busy {
			t.Errorf("batch is told %v", err)
		}
		high := priority.With(t.Context(), priority.Realtime)
		if err := b.Full(high, "m", "1"); err != nil {
			t.Errorf("realtime is told %v", err)
		}
		all.Go(func() {
			if _, err := b.Infer(high, request(1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if turned != 1 {
			t.Errorf("%d were turned out", turned)
		}
		close(m.hang)
		all.Wait()
		synctest.Wait()
		for i := range b.loads["m\x001"].waiting {
			if n := b.loads["m\x001"].waiting[i].Load(); n != 0 {
				t.Errorf("%d of class %d wait", n, i)
			}
		}
	})
}
