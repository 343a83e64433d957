package shadow

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/postprocess"
	"triton-gateway/task"
)

var pair = Pair{Route: "r", Primary: "a", Shadow: "b"}

// rig is a runner in a bubble of counted time, and what it told.
type rig struct {
	*Runner
	t *testing.T

	mu       sync.Mutex
	events   []Event
	released atomic.Int64
	offered  int64 // all
	held     int64 // of those, the ones that were told to hold what they need
}

func bubble(t *testing.T, o Options, do func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		o.Observe = func(e Event) {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
		}
		r.Runner = New(o)
		do(r)
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := r.released.Load(); n != r.held {
			t.Errorf("%d of %d offers are released", n, r.held)
		}
		if len(r.events) != int(r.offered) || r.Runner.held != 0 || r.running != 0 || r.alive != 0 || r.coming != 0 || len(r.queue) != 0 {
			t.Errorf("%d of %d offers are told of, %d bytes are held, %d run, %d are alive, %d come, %d wait", len(r.events), r.offered, r.Runner.held, r.running, r.alive, r.coming, len(r.queue))
		}
	})
}

// offer offers the value 100, to be compared with what ask gives, and fails the test if that takes time.
func (r *rig) offer(ask func(ctx context.Context) (postprocess.Result, error), change ...func(*Offer)) bool {
	r.t.Helper()
	o := Offer{Pair: pair, Task: task.TabularRegression, Primary: made(100), Ask: ask, Hold: func() { r.held++ }, Release: func() { r.released.Add(1) }}
	for _, c := range change {
		c(&o)
	}
	r.offered++
	began := time.Now()
	taken := r.Offer(r.t.Context(), o)
	if d := time.Since(began); d != 0 {
		r.t.Errorf("the offer took %v", d)
	}
	return taken
}

func made(v float64) func() (postprocess.Result, error) {
	return func() (postprocess.Result, error) { return *regressed(v), nil }
}

func gives(v float64) func(context.Context) (postprocess.Result, error) {
	return func(context.Context) (postprocess.Result, error) { return *regressed(v), nil }
}

func hangs(ctx context.Context) (postprocess.Result, error) {
	<-ctx.Done()
	return postprocess.Result{}, ctx.Err()
}

// outcomes gives the counts of the only pair.
func (r *rig) outcomes() map[Outcome]uint64 {
	r.t.Helper()
	s := r.Stats()
	if len(s) != 1 || s[0].Pair != pair {
		r.t.Fatalf("%+v", s)
	}
	return s[0].Outcomes
}

func (r *rig) last() Event {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[len(r.events)-1]
}
