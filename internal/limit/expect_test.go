package limit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 10)
		hold := func() func() {
			release, _, err := l.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return release
		}
		first, second := hold(), hold()
		if got := l.Expect(t.Context()); got != 0 {
			t.Errorf("%v before anybody has ended", got)
		}
		time.Sleep(100 * time.Millisecond)
		first()
		if got := l.Expect(t.Context()); got != 0 {
			t.Errorf("%v with a place that is free", got)
		}
		first = hold()
		if got := l.Expect(t.Context()); got != 150*time.Millisecond { // half a round to wait, one to run
			t.Errorf("%v with nobody waiting", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go func() { _, _, _ = l.Acquire(ctx) }()
		}
		synctest.Wait()
		if got := l.Expect(t.Context()); got != 300*time.Millisecond { // two rounds to wait, one to run
			t.Errorf("%v with three waiting", got)
		}
		cancel()
		synctest.Wait()
		first()
		second()
	})
}
