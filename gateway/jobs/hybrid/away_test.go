package hybrid_test

import (
	"context"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// TestOneAway: what concerns the other store alone goes on, what needs both fails.
func TestOneAway(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	near, far := r.add(jobs.Realtime), r.add(jobs.Batch)
	if _, err := r.Count(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cut       *part
		lost, has string
	}{{r.near, near, far}, {r.far, far, near}} {
		c.cut.cut.Store(true)
		_, err := r.Get(ctx, c.lost) // nobody knows yet that it is away
		r.unavailable(err)
		for range 2 { // the second time it is known
			j, err := r.Get(ctx, c.has)
			r.must(err)
			if j.ID != c.has {
				t.Error(j.ID)
			}
			_, err = r.Get(ctx, c.lost)
			r.unavailable(err)
			_, err = r.Look(ctx, "unknown") // it may be there
			r.unavailable(err)
			_, err = r.Change(ctx, c.lost, jobs.Cancel)
			r.unavailable(err)
			_, _, err = r.List(ctx, jobs.Filter{Limit: 10})
			r.unavailable(err)
			if list := r.take(10); len(list) != 1 || list[0].ID != c.has {
				t.Errorf("leased %v, want %s", list, c.has)
			} else {
				r.must(r.Settle(ctx, jobs.Lease{ID: c.has, Fence: list[0].Fence}, jobs.Outcome{State: jobs.Queued}, nil))
			}
			if sum, err := r.Count(ctx); err != nil || sum.Jobs[jobs.Realtime][jobs.Queued] != 1 || sum.Jobs[jobs.Batch][jobs.Queued] != 1 {
				t.Errorf("count: %+v, %v", sum, err)
			}
			_, err = r.Sweep(ctx)
			r.unavailable(err)
		}
		c.cut.cut.Store(false)
		r.Advance(3 * time.Second)
		if _, err := r.Get(ctx, c.lost); err != nil {
			t.Error(err)
		}
	}
	r.near.cut.Store(true)
	r.far.cut.Store(true)
	_, err := r.Lease(ctx, 1, time.Second)
	r.unavailable(err)
	_, err = r.Count(ctx)
	r.unavailable(err)
}

// TestHandedInWhileAway: realtime jobs overflow while the near store is away, but those with a key, which might be there already.
func TestHandedInWhileAway(t *testing.T) {
	r := newRig(t)
	r.near.cut.Store(true)
	r.in(r.add(jobs.Realtime), false)
	r.in(r.add(jobs.Batch), false)
	_, err := r.hand(r.spec(jobs.Realtime, "k"))
	r.unavailable(err)
	batch := r.spec(jobs.Batch, "b")
	if j, err := r.hand(batch); err != nil || j != nil {
		t.Fatal(j, err)
	}
	r.in(batch.ID, false)
	r.near.cut.Store(false)
	r.Advance(3 * time.Second)
	r.in(r.add(jobs.Realtime), true)

	r.far.cut.Store(true)
	r.in(r.add(jobs.Realtime), true)
	keyed := r.spec(jobs.Realtime, "k")
	if j, err := r.hand(keyed); err != nil || j != nil {
		t.Fatal(j, err)
	}
	spec := r.spec(jobs.Batch, "")
	_, err = r.hand(spec)
	r.unavailable(err)
	r.far.cut.Store(false)
	if _, err := r.Get(t.Context(), spec.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("half handed in: %v", err)
	}
}

// TestAmbiguousCreate: a job whose creation failed is not handed in to the other store, too.
func TestAmbiguousCreate(t *testing.T) {
	r := newRig(t)
	spec := r.spec(jobs.Realtime, "")
	site, err := r.Choose(t.Context(), spec)
	r.must(err)
	r.near.cut.Store(true)
	_, err = site.Create(t.Context(), spec)
	r.unavailable(err)
	if n := r.far.count("create"); n != 0 {
		t.Errorf("%d creations in the other store", n)
	}
}

// TestHeartbeats: a store whose leases are long is asked rarely, but when there is something to write, or a change was made here.
func TestHeartbeats(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.add(jobs.Batch)
	j := r.take(1)[0]
	l := jobs.Lease{ID: id, Fence: j.Fence}
	for range 300 { // 15 min
		r.Advance(3 * time.Second)
		canceled, err := r.Extend(ctx, l, r.Term(), nil)
		if canceled || err != nil {
			t.Fatal(canceled, err)
		}
	}
	if n := r.far.count("extend"); n < 5 || n > 12 {
		t.Errorf("%d heartbeats reached the store", n)
	}
	if list, _ := r.far.Store.Lease(ctx, 1, time.Second); len(list) != 0 {
		t.Error("the lease has ended")
	}
	before := r.far.count("extend")
	_, err := r.Extend(ctx, l, r.Term(), []jobs.Result{{Body: []byte("1")}})
	r.must(err)
	_, err = r.Change(ctx, id, jobs.Cancel)
	r.must(err)
	if canceled, err := r.Extend(ctx, l, r.Term(), nil); !canceled || err != nil {
		t.Errorf("cancelled here: %v, %v", canceled, err)
	}
	if n := r.far.count("extend") - before; n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	r.must(r.Settle(ctx, l, jobs.Outcome{State: jobs.Canceled}, nil))
	if _, err := r.Extend(ctx, l, r.Term(), nil); fault.KindOf(err) != fault.Conflict {
		t.Errorf("after its end: %v", err)
	}
	// The near one is asked each time.
	id = r.add(jobs.Realtime)
	j = r.take(1)[0]
	for range 3 {
		_, err := r.Extend(ctx, jobs.Lease{ID: id, Fence: j.Fence}, r.Term(), nil)
		r.must(err)
	}
	if n := r.near.count("extend"); n != 3 {
		t.Errorf("%d heartbeats of the near store", n)
	}
}

// TestWake: by either store, and not otherwise.
func TestWake(t *testing.T) {
	r := newRig(t)
	for _, p := range []*part{r.near, r.far} {
		p.hint <- struct{}{}
		if !r.Wake(t.Context(), time.Minute) {
			t.Error("not woken")
		}
	}
	if r.Wake(t.Context(), time.Millisecond) {
		t.Error("woken by nothing")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r.Wake(ctx, time.Hour) {
		t.Error("woken after the caller has left")
	}
}
