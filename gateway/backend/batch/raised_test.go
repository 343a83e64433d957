package batch

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/priority"
)

// A call that waits for a batch is in the next one when somebody urgent waits for it too.
func TestACallThatIsRaisedIsInTheNextBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{hang: make(chan struct{})}
		b := New(m, Options{Rule: func(string, string) Rule { return Rule{Size: 2, Bound: time.Hour, Inexact: true} }, Log: slog.New(slog.DiscardHandler)})
		var all sync.WaitGroup
		call := func(ctx context.Context) {
			all.Go(func() {
				if _, err := b.Infer(ctx, request(1)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 1 + 2*(crowded-1) { // one alone, and full batches beside it
			call(t.Context())
		}
		shared, class := priority.Share(priority.With(t.Context(), priority.Batch))
		call(shared)
		for range 4 {
			call(t.Context())
		}
		var g *group
		for _, g = range b.groups {
		}
		waiting := func(want ...int64) {
			t.Helper()
			for i := range g.load.waiting {
				if n := g.load.waiting[i].Load(); n != want[i] {
					t.Errorf("%d of class %d wait, not %d", n, i, want[i])
				}
			}
		}
		waiting(0, 4, 1)
		class.Raise(priority.Realtime)
		synctest.Wait()
		waiting(1, 4, 0)
		g.mu.Lock()
		g.flush()
		g.mu.Unlock()
		synctest.Wait()
		waiting(0, 3, 0)
		close(m.hang)
		all.Wait()
		synctest.Wait()
		waiting(0, 0, 0)
	})
}
