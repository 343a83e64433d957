package redis

import (
	"fmt"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// digests makes items of n blobs that are not stored.
func digests(n int) (list []jobs.Item) {
	for i := range n {
		list = append(list, jobs.Item{Kind: jobs.Image, Blob: fmt.Sprintf("%064x", i)})
	}
	return list
}

// sweep sweeps all, and gives how many calls that took.
func sweep(tb testing.TB, s *Store) (calls int) {
	tb.Helper()
	for more := true; more; calls++ {
		var err error
		if more, err = s.Sweep(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		if calls > 1000 {
			tb.Fatal("sweeping does not end")
		}
	}
	return calls
}

// TestManyBlobs: a job of thousands of blobs is noted and forgotten in pieces, and one that is never created leaves nothing.
func TestManyBlobs(t *testing.T) {
	c := jobstest.NewClock()
	s := open(t, Options{URL: parts.Redis(t).URL(), Now: c.Now})
	ctx := t.Context()
	refs := func() int64 { return s.client.HLen(ctx, s.prefix+"refs").Val() }
	spec := specOf(digests(3500)...)
	spec.Key = "k"
	create(t, s, spec)
	if refs() != 3500 || s.client.Exists(ctx, s.prefix+"held").Val() != 0 {
		t.Fatalf("%d blobs are noted", refs())
	}
	second := specOf(digests(4000)...) // there is a job with its key
	second.Key = "k"
	if j, err := s.Create(ctx, second); err != nil || j == nil || j.ID != spec.ID {
		t.Fatal(j, err)
	}
	sweep(t, s)
	if refs() != 3500 {
		t.Errorf("%d blobs are noted after a job that was not created, want 3500", refs())
	}
	// One whose gateway died before it was created.
	if _, _, err := s.call(ctx, s.scripts.hold, asked, "dead", fmt.Sprintf("%064x", 99_999)); err != nil {
		t.Fatal(err)
	}
	sweep(t, s)
	if refs() != 3501 {
		t.Errorf("%d blobs are noted, want 3501: a job may yet be created", refs())
	}
	c.Advance(2 * time.Hour)
	sweep(t, s)
	if refs() != 3500 {
		t.Errorf("%d blobs are noted, want 3500", refs())
	}
	if _, err := s.Change(ctx, spec.ID, jobs.Cancel); err != nil {
		t.Fatal(err)
	}
	c.Advance(2 * time.Hour)
	if n := sweep(t, s); n < 4 || n > 50 {
		t.Errorf("%d sweeps for 3500 blobs", n)
	}
	c.Advance(2 * time.Hour)
	sweep(t, s)
	left := s.client.Keys(ctx, "*").Val()
	if len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSweepIsBounded: however much there is to delete, one call deletes some of it.
func TestSweepIsBounded(t *testing.T) {
	c := jobstest.NewClock()
	s := open(t, Options{URL: parts.Redis(t).URL(), Now: c.Now})
	item := blob(t, s, "x")
	for range 250 {
		create(t, s, specOf(item))
	}
	c.Advance(time.Minute) // they are due by this clock, however long that took
	for {
		list, err := s.Lease(t.Context(), 100, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, j := range list {
			if err := s.Settle(t.Context(), jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Advance(2 * time.Hour)
	for i, want := range []int64{150, 50, 0} {
		more, err := s.Sweep(t.Context())
		if n := s.client.ZCard(t.Context(), s.prefix+"x:all").Val(); err != nil || n != want || more != (want > 0) {
			t.Errorf("sweep %d: %d jobs are left, more %v, %v; want %d", i, n, more, err, want)
		}
		audit(t, s)
	}
}

// TestManyResults: results over one script's bounds are all written, and none after the lease is lost.
func TestManyResults(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	ctx := t.Context()
	item := blob(t, s, "x")
	var items []jobs.Item
	var results []jobs.Result
	for i := range 2500 {
		items = append(items, item)
		results = append(results, jobs.Result{Index: i, Body: []byte(fmt.Sprint(i)), Bad: i%3 == 0})
	}
	spec := specOf(items...)
	create(t, s, spec)
	l := lease(t, s, spec.ID)
	if _, err := s.Extend(ctx, l, time.Minute, results[:1200]); err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.Settle(ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: 2500}}), fault.Invalid, "invalid_request")
	wantFault(t, s.Settle(ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: -1}}), fault.Invalid, "invalid_request")
	wantFault(t, s.Settle(ctx, l, jobs.Outcome{State: jobs.Running}, nil), fault.Invalid, "invalid_request")
	if err := s.Settle(ctx, l, jobs.Outcome{State: jobs.Failed}, results[1200:]); err != nil {
		t.Fatal(err)
	}
	list, err := s.Results(ctx, spec.ID, 0, 5000)
	if err != nil || len(list) != 2500 || list[2499].Index != 2499 || string(list[1500].Body) != "1500" || !list[1500].Bad {
		t.Fatalf("%d results, %v", len(list), err)
	}
	_, err = s.Extend(ctx, l, time.Minute, results)
	wantFault(t, err, fault.Conflict, "lease_lost")
	audit(t, s)
	j, err := s.Change(ctx, spec.ID, jobs.Retry)
	if err != nil || j.Done != 1666 || j.Bad != 0 {
		t.Fatalf("%+v, %v", j, err)
	}
	list, err = s.Results(ctx, spec.ID, 1000, 10)
	if err != nil || len(list) != 10 || list[0].Index != 1501 {
		t.Errorf("%v, %v", list, err)
	}
	audit(t, s)
}

func TestSplit(t *testing.T) {
	big := jobs.Result{Body: make([]byte, heavy/2+1)}
	for _, step := range []struct {
		list []jobs.Result
		want int
	}{
		{nil, 0}, {[]jobs.Result{{}}, 1}, {[]jobs.Result{big, big}, 1}, {[]jobs.Result{{Body: make([]byte, 2*heavy)}}, 1},
		{make([]jobs.Result, 1000), 1000}, {make([]jobs.Result, 1001), 1000},
	} {
		if now, rest := split(step.list); len(now) != step.want || len(now)+len(rest) != len(step.list) {
			t.Errorf("%d of %d, want %d", len(now), len(step.list), step.want)
		}
	}
}
