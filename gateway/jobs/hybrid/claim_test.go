package hybrid_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/hybrid"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/internal/fault"
)

// hooked is a part at whose Create something else happens first.
type hooked struct {
	*part
	before func()
}

func (h *hooked) Create(ctx context.Context, s *jobs.Spec) (*jobs.Job, error) {
	if do := h.before; do != nil {
		h.before = nil
		do()
	}
	return h.part.Create(ctx, s)
}

// claiming is such a part that keeps Keys for jobs of another store.
type claiming struct {
	hooked
	now    func() time.Time
	mu     sync.Mutex
	claims map[string]time.Time
}

func (c *claiming) Claim(ctx context.Context, tenant, key, _ string, until time.Time) (*jobs.Job, error) {
	if err := c.call("claim"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if j, err := c.Store.ByKey(ctx, tenant, key); err == nil {
		return j, nil
	}
	c.claims[key] = until
	return nil, nil
}

func (c *claiming) Create(ctx context.Context, s *jobs.Spec) (*jobs.Job, error) {
	if do := c.before; do != nil {
		c.before = nil
		do()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Before(c.claims[s.Key]) {
		return nil, fault.New(fault.Conflict, "conflict", "it is claimed")
	}
	return c.part.Create(ctx, s)
}

// pair is a hybrid of two such parts.
func pair(t *testing.T) (r *rig, near *hooked, far *claiming) {
	c := jobstest.NewClock()
	r = &rig{T: t, Clock: c}
	r.near = &part{Store: memory.New(c.Now), term: 9 * time.Second}
	r.far = &part{Store: memory.New(c.Now), term: 5 * time.Minute}
	near, far = &hooked{part: r.near}, &claiming{hooked: hooked{part: r.far}, now: c.Now, claims: map[string]time.Time{}}
	r.Store = hybrid.New(near, far, hybrid.Options{Now: c.Now, Log: quiet()})
	return r, near, far
}

// one wants that there is one job, with the given id.
func (r *rig) one(id string) {
	r.Helper()
	list, _, err := r.List(r.Context(), jobs.Filter{Limit: 10})
	r.must(err)
	if len(list) != 1 || list[0].ID != id {
		r.Fatalf("%d jobs, want %s alone", len(list), id)
	}
}

// TestOneKeyAtOnce: of two jobs of one Key and of different homes, whose creations cross in either way, there is one.
func TestOneKeyAtOnce(t *testing.T) {
	t.Run("far comes while near is being created", func(t *testing.T) {
		r, near, _ := pair(t)
		first, second := r.spec(jobs.Realtime, "k"), r.spec(jobs.Batch, "k")
		near.before = func() {
			if j, err := r.hand(second); fault.KindOf(err) != fault.Conflict {
				t.Errorf("%+v, %v", j, err)
			}
		}
		if j, err := r.hand(first); err != nil || j != nil {
			t.Fatal(j, err)
		}
		r.one(first.ID)
		r.Advance(time.Hour / 2) // when the claim is over, the job itself holds the key
		if j, err := r.hand(second); err != nil || j == nil || j.ID != first.ID {
			t.Errorf("%+v, %v", j, err)
		}
	})
	t.Run("near comes while far is being created", func(t *testing.T) {
		r, _, far := pair(t)
		first, second := r.spec(jobs.Batch, "k"), r.spec(jobs.Realtime, "k")
		far.before = func() {
			if j, err := r.hand(second); err != nil || j != nil {
				t.Errorf("%+v, %v", j, err)
			}
		}
		if j, err := r.hand(first); fault.KindOf(err) != fault.Conflict {
			t.Fatal(j, err)
		}
		r.one(second.ID)
	})
	t.Run("near comes after far", func(t *testing.T) {
		r, _, far := pair(t)
		first := r.spec(jobs.Batch, "k")
		if j, err := r.hand(first); err != nil || j != nil {
			t.Fatal(j, err)
		}
		if j, err := r.hand(r.spec(jobs.Realtime, "k")); err != nil || j == nil || j.ID != first.ID {
			t.Errorf("%+v, %v", j, err)
		}
		r.one(first.ID)
		if n := far.count("key"); n != 0 {
			t.Errorf("looked for the key %d times beside the claim", n)
		}
	})
	t.Run("far is away", func(t *testing.T) {
		r, _, far := pair(t)
		far.cut.Store(true)
		for range 2 { // the second time it is known
			if j, err := r.hand(r.spec(jobs.Realtime, "")); err != nil || j != nil {
				t.Fatal(j, err)
			}
		}
		first := r.spec(jobs.Realtime, "k")
		if j, err := r.hand(first); err != nil || j != nil {
			t.Fatal(j, err)
		}
		far.cut.Store(false)
		r.Advance(3 * time.Second)
		if j, err := r.hand(r.spec(jobs.Batch, "k")); err != nil || j == nil || j.ID != first.ID {
			t.Errorf("%+v, %v", j, err)
		}
	})
}
