package shadow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

func TestAHungShadowHoldsNoMoreThanItsPlaces(t *testing.T) {
	bubble(t, Options{Parallel: 2, Waiting: 3, Timeout: time.Second}, func(r *rig) {
		var running, most atomic.Int64
		hang := func(ctx context.Context) (postprocess.Result, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return hangs(ctx)
		}
		taken := 0
		for range 10 {
			if r.offer(hang) {
				taken++
			}
		}
		synctest.Wait()
		if taken != 5 || running.Load() != 2 || r.held != 5 || r.released.Load() != 0 {
			t.Errorf("%d are taken, %d run, %d are released", taken, running.Load(), r.released.Load())
		}
		for i, want := range []uint64{2, 4, 4} { // who waits when it has been late too often is not asked
			time.Sleep(time.Second)
			synctest.Wait()
			if got := r.outcomes()[TimedOut]; got != want {
				t.Errorf("%d ended after %d s, want %d", got, i+1, want)
			}
		}
		if most.Load() != 2 || running.Load() != 0 {
			t.Errorf("%d ran, %d run", most.Load(), running.Load())
		}
		for _, e := range r.events {
			if e.Outcome == TimedOut && (e.Took != time.Second || fault.KindOf(e.Err) != fault.Timeout) {
				t.Errorf("%+v", e)
			}
		}
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{TimedOut: 4, DroppedLate: 1, DroppedFull: 5}) {
			t.Errorf("%v", got)
		}
	})
}

// A shadow that does not listen to its context keeps its place, and its answer is too late.
func TestADeafShadowIsTooLate(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: -1, Timeout: time.Second}, func(r *rig) {
		r.offer(func(context.Context) (postprocess.Result, error) {
			time.Sleep(time.Minute)
			return *regressed(100), nil
		})
		time.Sleep(59 * time.Second)
		if r.offer(gives(100)) {
			t.Error("there was no place")
		}
		time.Sleep(2 * time.Second)
		if !r.offer(gives(100)) {
			t.Error("the place was not given back")
		}
		synctest.Wait()
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{TimedOut: 1, DroppedFull: 1, Compared: 1}) {
			t.Errorf("%v", got)
		}
	})
}

func TestNoRoomNoShadow(t *testing.T) {
	asked, room := 0, true
	bubble(t, Options{Parallel: 1, Waiting: 5, Timeout: time.Second, Idle: func() bool { asked++; return room }}, func(r *rig) {
		r.offer(func(ctx context.Context) (postprocess.Result, error) {
			time.Sleep(time.Second / 2)
			return *regressed(100), nil
		})
		synctest.Wait()
		room = false
		for range 3 { // there is a place to wait, but no room when their turn comes
			if !r.offer(func(context.Context) (postprocess.Result, error) { t.Error("asked"); return hangs(t.Context()) }) {
				t.Error("not taken")
			}
		}
		time.Sleep(time.Second)
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{Compared: 1, DroppedLoad: 3}) || asked != 4 {
			t.Errorf("%v, asked %d times", got, asked)
		}
	})
}

type valueKey struct{}

func TestTheCallersValuesButNotItsEnd(t *testing.T) {
	bubble(t, Options{Timeout: time.Minute}, func(r *rig) {
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), valueKey{}, "v"), time.Second)
		cancel()
		r.offered++
		r.Offer(ctx, Offer{Pair: pair, Primary: made(0), Hold: func() { r.held++ }, Release: func() { r.released.Add(1) }, Ask: func(ctx context.Context) (postprocess.Result, error) {
			deadline, ok := ctx.Deadline()
			if ctx.Value(valueKey{}) != "v" || ctx.Err() != nil || !ok || time.Until(deadline) != time.Minute {
				t.Errorf("value %v, %v, deadline in %v", ctx.Value(valueKey{}), ctx.Err(), time.Until(deadline))
			}
			return postprocess.Result{}, nil
		}})
		if e := r.last(); e.Outcome != Compared || !e.Comparison.Alike {
			t.Errorf("%+v", e)
		}
	})
}

func TestWhateverAnOfferDoes(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		change func(*rig, *Offer)
		want   Outcome
		is     error
	}{
		"error": {func(_ *rig, o *Offer) {
			o.Ask = func(context.Context) (postprocess.Result, error) { return *regressed(1), boom }
		}, Failed, boom},
		"panic":       {func(_ *rig, o *Offer) { o.Ask = func(context.Context) (postprocess.Result, error) { panic("x") } }, Failed, nil},
		"no function": {func(_ *rig, o *Offer) { o.Ask = nil }, Failed, nil},
		"goexit": {func(_ *rig, o *Offer) {
			o.Ask = func(context.Context) (postprocess.Result, error) { runtime.Goexit(); panic("x") }
		}, Failed, errLeft},
		"no room": {func(_ *rig, o *Offer) {
			o.Ask = func(context.Context) (postprocess.Result, error) {
				return *regressed(1), fmt.Errorf("busy: %w", ErrNoRoom)
			}
		}, DroppedLoad, nil},
		"primary": {func(_ *rig, o *Offer) {
			o.Primary = func() (postprocess.Result, error) { return *regressed(1), boom }
		}, Failed, boom},
		"item":       {func(_ *rig, o *Offer) { o.Item = func(_, _ *postprocess.Result) (any, int64) { panic("x") } }, Failed, nil},
		"release":    {func(r *rig, o *Offer) { o.Release = func() { r.released.Add(1); panic("x") } }, Failed, nil},
		"no release": {func(r *rig, o *Offer) { o.Release = nil; r.released.Add(1) }, Compared, nil},
		"own deadline": {func(_ *rig, o *Offer) {
			o.Ask = func(context.Context) (postprocess.Result, error) { return *regressed(1), context.DeadlineExceeded }
		}, Failed, context.DeadlineExceeded},
		"the server's deadline": {func(_ *rig, o *Offer) {
			o.Ask = func(context.Context) (postprocess.Result, error) {
				return *regressed(1), fault.New(fault.Timeout, "deadline_exceeded", "late")
			}
		}, TimedOut, nil},
		"bad bytes": {func(_ *rig, o *Offer) { o.Bytes = -1 << 62 }, Compared, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Options{Parallel: 1, Waiting: -1}, func(r *rig) {
				for i := range 3 { // each finds the place that the one before had
					if !r.offer(gives(1), func(o *Offer) { c.change(r, o) }) {
						t.Fatal("not taken")
					}
					e := r.last()
					if e.Outcome != c.want || (e.Err == nil) != (c.want == Compared || c.want == DroppedLoad) || c.is != nil && !errors.Is(e.Err, c.is) || r.released.Load() != int64(i+1) {
						t.Fatalf("%+v, %d released", e, r.released.Load())
					}
				}
			})
		})
	}
}

func TestAPanicOfWhoObserves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Observe: func(Event) { panic("x") }})
		for range 3 {
			r.Offer(t.Context(), Offer{Pair: pair, Primary: made(1), Ask: gives(1)})
		}
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		r.Offer(t.Context(), Offer{Pair: pair, Primary: made(1), Ask: gives(1)}) // tells at once
		if n := r.Stats()[0].Outcomes[DroppedClosed]; n < 1 {
			t.Error(n)
		}
	})
}

func TestBytesThatOffersHold(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: 10, HeldBytes: 100, Timeout: time.Second}, func(r *rig) {
		holds := func(n int64) func(*Offer) { return func(o *Offer) { o.Bytes = n } }
		if !r.offer(hangs, holds(60)) || r.offer(hangs, holds(41)) || !r.offer(hangs, holds(40)) || r.offer(hangs, holds(1<<62)) || !r.offer(hangs) {
			t.Error("not as much as there is room for")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !r.offer(hangs, holds(60)) {
			t.Error("the room was not given back")
		}
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{TimedOut: 1, DroppedBytes: 2}) {
			t.Errorf("%v", got)
		}
	})
}

func TestCloseWaits(t *testing.T) {
	bubble(t, Options{Parallel: 1, Waiting: 2, Timeout: time.Hour}, func(r *rig) {
		r.offer(func(ctx context.Context) (postprocess.Result, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // it clears up
			return *regressed(100), nil
		})
		r.offer(hangs)
		r.offer(hangs)
		synctest.Wait()
		short, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if err := r.Close(short); !errors.Is(err, context.DeadlineExceeded) || r.released.Load() != 2 {
			t.Errorf("%v, %d released", err, r.released.Load())
		}
		if r.offer(hangs) || r.held != 3 {
			t.Error("taken after the end")
		}
		began := time.Now()
		if err := r.Close(context.Background()); err != nil || time.Since(began) != time.Second/2 || r.released.Load() != 3 {
			t.Errorf("%v after %v, %d released", err, time.Since(began), r.released.Load())
		}
		if got := r.outcomes(); !maps.Equal(got, map[Outcome]uint64{DroppedClosed: 4}) {
			t.Errorf("%v", got)
		}
	})
}

// Many callers, all outcomes, an end in the midst of them: what is offered is told of once and released once.
func TestReleasedOnceInARace(t *testing.T) {
	const callers, each = 8, 200
	var told, closedEarly atomic.Int64
	r := New(Options{Parallel: 3, Waiting: 4, HeldBytes: 1000, Timeout: time.Millisecond, Keep: 5, Idle: func() bool { return rand.IntN(10) > 0 }, Observe: func(Event) { told.Add(1) }})
	released := make([]atomic.Int64, callers*each)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				n := &released[c*each+i]
				r.Offer(t.Context(), Offer{Pair: pair, Task: task.TabularRegression, Primary: made(1), Bytes: rand.Int64N(400), Sure: rand.IntN(4) == 0, Hold: func() { n.Add(1) }, Release: func() { n.Add(-1) },
					Item: func(_, _ *postprocess.Result) (any, int64) { return i, 8 },
					Ask: func(ctx context.Context) (postprocess.Result, error) {
						switch rand.IntN(8) {
						case 0:
							panic("x")
						case 1:
							return hangs(ctx)
						case 2:
							return postprocess.Result{}, errors.New("no")
						}
						return *regressed(rand.Float64()), nil
					}})
				if i%7 == 0 {
					r.Worst("r")
					runtime.Gosched()
				}
				if c == 0 && i == each/2 {
					all.Go(func() {
						if r.Close(context.Background()) != nil {
							closedEarly.Add(1)
						}
					})
				}
			}
		})
	}
	all.Wait()
	if err := r.Close(context.Background()); err != nil || closedEarly.Load() != 0 {
		t.Error(err)
	}
	for i := range released {
		if n := released[i].Load(); n != 0 {
			t.Fatalf("offer %d is held %d times", i, n)
		}
	}
	sum := uint64(0)
	for _, n := range r.Stats()[0].Outcomes {
		sum += n
	}
	if sum != callers*each || told.Load() != callers*each {
		t.Errorf("%d counted, %d told of %d", sum, told.Load(), callers*each)
	}
}
