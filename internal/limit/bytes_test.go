package limit

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
)

func TestBytesRefusesMoreThanThereIs(t *testing.T) {
	b := NewBytes(100).Named("limits.memory")
	for _, n := range []int64{101, math.MaxInt64} {
		if _, err := b.Acquire(t.Context(), n); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%d: %v", n, err)
		}
	}
	for _, n := range []int64{math.MinInt64, -1, 0, 100} {
		release, err := b.Acquire(t.Context(), n)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if got := b.Stats().Used; got != max(n, 0) {
			t.Errorf("%d: %d used", n, got)
		}
		release()
		release() // does nothing
	}
	if got := b.Stats(); got != (BytesStats{Capacity: 100, Refused: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestBytesDoesNotStarveTheLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(10)
		hold, _ := b.Acquire(t.Context(), 5)
		var order []int64
		var mu sync.Mutex
		take := func(n int64) {
			release, err := b.Acquire(t.Context(), n)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, n)
			mu.Unlock()
			release()
		}
		go take(10)
		synctest.Wait()
		go take(1) // would fit, but came later
		synctest.Wait()
		if len(order) != 0 || b.Stats().Waiting != 2 {
			t.Fatalf("%v served, %+v", order, b.Stats())
		}
		hold()
		synctest.Wait()
		if !slices.Equal(order, []int64{10, 1}) {
			t.Errorf("order %v", order)
		}
	})
}

func TestBytesAWaiterLeavesTheFront(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(10)
		hold, _ := b.Acquire(t.Context(), 5)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, err := b.Acquire(ctx, 10); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
		synctest.Wait()
		served := make(chan func(), 1)
		go func() {
			release, err := b.Acquire(t.Context(), 5)
			if err != nil {
				t.Error(err)
			}
			served <- release
		}()
		synctest.Wait()
		cancel()
		(<-served)() // without hold being released
		hold()
		if got := b.Stats(); got.Used != 0 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestBytesBoundsItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBytes(1)
		hold, _ := b.Acquire(t.Context(), 1)
		for range longestLine {
			go func() {
				release, err := b.Acquire(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				release()
			}()
		}
		synctest.Wait()
		if _, err := b.Acquire(t.Context(), 1); fault.KindOf(err) != fault.Busy {
			t.Errorf("got %v", err)
		}
		hold()
		synctest.Wait()
		if got := b.Stats(); got.Used != 0 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// TestBytesAgainstAModel plays random acquires, releases and departures, and compares with a plain list.
func TestBytesAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(*testing.T) {
			const capacity = 20
			b := NewBytes(capacity)
			type caller struct {
				need   int64
				cancel context.CancelFunc
				got    chan func()
			}
			var waiting []caller
			var holding []caller
			var used int64
			admit := func() {
				for len(waiting) > 0 && waiting[0].need <= capacity-used {
					used += waiting[0].need
					holding, waiting = append(holding, waiting[0]), waiting[1:]
				}
			}
			for range rapid.IntRange(0, 60).Draw(rt, "steps") {
				switch rapid.IntRange(0, 2).Draw(rt, "step") {
				case 0:
					ctx, cancel := context.WithCancel(context.Background())
					c := caller{rapid.Int64Range(0, capacity).Draw(rt, "need"), cancel, make(chan func(), 1)}
					go func() {
						if release, err := b.Acquire(ctx, c.need); err == nil {
							c.got <- release
						}
					}()
					synctest.Wait()
					waiting = append(waiting, c)
					admit()
				case 1:
					if len(holding) > 0 {
						i := rapid.IntRange(0, len(holding)-1).Draw(rt, "holder")
						(<-holding[i].got)()
						used -= holding[i].need
						holding[i].cancel()
						holding = slices.Delete(holding, i, i+1)
						admit()
					}
				case 2:
					if len(waiting) > 0 {
						i := rapid.IntRange(0, len(waiting)-1).Draw(rt, "leaver")
						waiting[i].cancel()
						waiting = slices.Delete(waiting, i, i+1)
						admit()
					}
				}
				synctest.Wait()
				if got := b.Stats(); got.Used != used || got.Waiting != len(waiting) {
					rt.Fatalf("%+v, want %d used and %d waiting", got, used, len(waiting))
				}
			}
			for _, c := range waiting {
				c.cancel()
			}
			for _, c := range holding {
				(<-c.got)()
				c.cancel()
			}
			synctest.Wait()
		})
	})
}
