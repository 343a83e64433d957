package jobstest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// pages lists by pages of the given size and gives the ids.
func (r *rig) pages(f jobs.Filter, size int) (ids []string) {
	r.Helper()
	for f.Limit = size; ; {
		page, next, err := r.List(r.ctx, f)
		r.must(err)
		if len(page) > size {
			r.Fatalf("a page of %d jobs, want at most %d", len(page), size)
		}
		for _, j := range page {
			ids = append(ids, j.ID)
		}
		if f.Cursor = next; next == "" {
			return ids
		}
		if len(ids) > 1000 {
			r.Fatal("the list does not end")
		}
	}
}

func listFilters(r *rig) {
	var made []*jobs.Spec
	begin := r.now().Add(-time.Hour)
	for i := range 24 {
		made = append(made, r.add(1, func(s *jobs.Spec) {
			s.Tenant, s.Model = []string{"", "t", "u"}[i%3], []string{"shapes", "sha", "shapes2", "x:y"}[i%4]
			s.Priority = []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}[i/3%3]
			s.Created = begin.Add(time.Duration(i) * time.Second)
			s.RunAt = s.Created
		}))
	}
	state := map[string]jobs.State{}
	for i, j := range r.take(12) {
		l := jobs.Lease{ID: j.ID, Fence: j.Fence}
		switch state[j.ID] = []jobs.State{jobs.Running, jobs.Succeeded, jobs.Failed}[i%3]; state[j.ID] {
		case jobs.Succeeded, jobs.Failed:
			r.must(r.Settle(r.ctx, l, jobs.Outcome{State: state[j.ID]}, nil))
		}
	}
	none, tenant, nobody := "", "t", "nobody"
	for _, f := range []jobs.Filter{
		{}, {Tenant: &none}, {Tenant: &tenant}, {Tenant: &nobody}, {Model: "sha"}, {Model: "sh%"}, {Tenant: &tenant, Model: "shapes"}, {Priority: jobs.Batch},
		{States: []jobs.State{jobs.Failed}}, {States: []jobs.State{jobs.Queued, jobs.Succeeded}}, {States: []jobs.State{jobs.Expired}},
		{Tenant: &tenant, States: []jobs.State{jobs.Failed, jobs.Running}}, {Model: "x:y", Priority: jobs.Realtime},
		{Tenant: &none, Model: "shapes2", States: []jobs.State{jobs.Queued, jobs.Running}, Priority: jobs.Interactive},
	} {
		var want []string
		for _, s := range slices.Backward(made) {
			is := state[s.ID]
			if is == "" {
				is = jobs.Queued
			}
			if (f.Tenant == nil || *f.Tenant == s.Tenant) && (f.Model == "" || f.Model == s.Model) &&
				(f.Priority == "" || f.Priority == s.Priority) && (len(f.States) == 0 || slices.Contains(f.States, is)) {
				want = append(want, s.ID)
			}
		}
		for _, size := range []int{1000, 5, 1} {
			if got := r.pages(f, size); strings.Join(got, " ") != strings.Join(want, " ") {
				r.Errorf("list by %+v, pages of %d: %d jobs\n%v\nwant %d\n%v", f, size, len(got), got, len(want), want)
			}
		}
	}
	page, _, err := r.List(r.ctx, jobs.Filter{Limit: 1})
	r.must(err)
	if j := page[0]; len(j.Items) != 0 || j.Total != 1 || j.Model != "x:y" || j.State != jobs.Queued || !j.Created.Equal(made[23].Created) || j.Tenant != "u" {
		r.Errorf("a job in a list: %+v", j)
	}
}

// listCursor: jobs that come and change while a caller turns the pages move none of the others.
func listCursor(r *rig) {
	var want []string
	at := r.now()
	create := func() string {
		at = at.Add(time.Millisecond)
		return r.add(1, func(s *jobs.Spec) { s.Created = at }).ID
	}
	for range 10 {
		want = append(want, create())
	}
	slices.Reverse(want)
	f, got := jobs.Filter{Limit: 3}, []string(nil)
	for {
		page, next, err := r.List(r.ctx, f)
		r.must(err)
		for _, j := range page {
			got = append(got, j.ID)
		}
		if f.Cursor = next; next == "" {
			break
		}
		create()
		r.take(1)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Errorf("pages\n%v\nwant\n%v", got, want)
	}
}

func listBadCursor(r *rig) {
	r.add(1)
	for _, c := range []string{"x", "-1", "%00", "9999999999999999999999", "' or 1=1", strings.Repeat("A", 10_000)} {
		_, _, err := r.List(r.ctx, jobs.Filter{Limit: 10, Cursor: c})
		r.refused(err, fault.Invalid, "")
	}
}

func listUntold(r *rig) {
	hook := func(s *jobs.Spec) { s.Webhook = "https://example.com/hook" }
	first, second, running, without := r.add(1, hook), r.add(1, hook), r.add(1, hook), r.add(1)
	r.must2(r.Change(r.ctx, first.ID, jobs.Cancel))
	r.must2(r.Change(r.ctx, without.ID, jobs.Cancel))
	r.must2(r.Change(r.ctx, second.ID, jobs.Cancel))
	untold := func(want ...string) {
		r.Helper()
		got := r.pages(jobs.Filter{Untold: true}, 1)
		slices.Sort(got)
		slices.Sort(want)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("untold %v, want %v", got, want)
		}
	}
	untold(first.ID, second.ID)
	_, err := r.Change(r.ctx, running.ID, jobs.Told)
	r.refused(err, fault.Conflict, "conflict")
	for range 2 {
		if j, err := r.Change(r.ctx, first.ID, jobs.Told); err != nil || !j.Told || j.State != jobs.Canceled {
			r.Fatalf("told: %+v, %v", j, err)
		}
	}
	untold(second.ID)
	r.must2(r.Change(r.ctx, first.ID, jobs.Retry))
	untold(second.ID)
	r.must2(r.Change(r.ctx, first.ID, jobs.Cancel))
	untold(first.ID, second.ID)
}

func (r *rig) must2(_ *jobs.Job, err error) {
	r.Helper()
	r.must(err)
}
