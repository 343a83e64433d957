package redis

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestDamaged: a job into which somebody else has written is an error for those who ask for it, and stops no other job.
func TestDamaged(t *testing.T) {
	c := jobstest.NewClock()
	s := open(t, Options{URL: parts.Redis(t).URL(), Now: c.Now})
	ctx := t.Context()
	names := append([]string{"priority", "tenant", "ttl", "items", "key", "hook", "op", "made"}, fields...)
	for _, name := range names {
		for _, bad := range []string{"", "garbage", "nan", "-inf", "1e400", "-5", "9007199254740993", "\x00\xff"} {
			if err := s.client.FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			hurt, well := add(t, s), add(t, s)
			if err := s.client.HSet(ctx, s.prefix+"j:"+hurt.ID, name, bad).Err(); err != nil {
				t.Fatal(err)
			}
			fine := func(what string, err error) {
				t.Helper()
				if k := fault.KindOf(err); err != nil && k != fault.Internal && k != fault.Conflict {
					t.Errorf("%s = %q: %s: %v", name, bad, what, err)
				}
			}
			_, err := s.Get(ctx, hurt.ID)
			fine("get", err)
			if _, err := s.Count(ctx); err != nil {
				t.Errorf("%s = %q: count: %v", name, bad, err)
			}
			if page, _, err := s.List(ctx, jobs.Filter{Limit: 10}); err != nil || len(page) == 0 || page[0].ID != well.ID {
				t.Errorf("%s = %q: list %v, %v", name, bad, page, err)
			}
			found := false
			for range 3 {
				list, err := s.Lease(ctx, 10, time.Second)
				if err != nil {
					t.Errorf("%s = %q: lease: %v", name, bad, err)
				}
				for _, j := range list {
					found = found || j.ID == well.ID
					fine("settle", s.Settle(ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Failed}, nil))
				}
				c.Advance(2 * time.Second)
			}
			if !found {
				t.Errorf("%s = %q: the other job is not leased", name, bad)
			}
			for _, change := range []jobs.Change{jobs.Cancel, jobs.Retry, jobs.Told} {
				_, err = s.Change(ctx, hurt.ID, change)
				fine(string(change), err)
			}
			c.Advance(3 * time.Hour)
			if _, err := s.Sweep(ctx); err != nil {
				t.Errorf("%s = %q: sweep: %v", name, bad, err)
			}
			if _, err := s.Get(ctx, well.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s = %q: the other job is not swept: %v", name, bad, err)
			}
		}
	}
}

// TestUnreadableIsBuried: a job that is due and cannot be read fails, instead of coming again and again.
func TestUnreadableIsBuried(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	spec := add(t, s)
	name := s.prefix + "j:" + spec.ID
	items := s.client.HGet(t.Context(), name, "items").Val()
	s.client.HSet(t.Context(), name, "items", "[")
	if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	s.client.HSet(t.Context(), name, "items", items)
	j, err := s.Get(t.Context(), spec.ID)
	if err != nil || j.State != jobs.Failed || j.Problem == nil || j.Problem.Code != "job_unreadable" || !j.Problem.Poison {
		t.Errorf("%+v, %v", j, err)
	}
	audit(t, s)
}

// TestForeignKinds: keys of another kind under the store's names are errors, never panics, and leave Redis usable.
func TestForeignKinds(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	ctx := t.Context()
	for _, kind := range []string{"n", "x:all", "q:interactive", "leased", "ends", "old", "refs", "free", "gone", "wake", "put"} {
		if err := s.client.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		s.client.Set(ctx, s.prefix+kind, "x", 0)
		var errs []error
		note := func(err error) { errs = append(errs, err) }
		item := jobs.Item{Blob: "cd0aa9856147b6c5b4ff2b7dfee5da20aa38253099ef1b4a64aced233c9afe29"}
		note(s.Put(ctx, item.Blob, []byte("x")))
		_, err := s.Create(ctx, specOf(item))
		note(err)
		_, err = s.Lease(ctx, 1, time.Second)
		note(err)
		_, err = s.Sweep(ctx)
		note(err)
		_, err = s.Count(ctx)
		note(err)
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
				if fault.KindOf(err) != fault.Internal {
					t.Errorf("%s: %v", kind, err)
				}
			}
		}
		if failed == 0 {
			t.Errorf("%s: nobody has seen it", kind)
		}
	}
}
