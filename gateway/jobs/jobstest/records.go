package jobstest

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func createGet(r *rig) {
	s := r.add(2, func(s *jobs.Spec) {
		s.Version, s.Options, s.Cache, s.Single = "3", json.RawMessage(`{"top_k":5,"classes":["ü \" <"]}`), "no-store", true
		s.Deadline, s.Webhook, s.Key, s.Digest = s.Created.Add(time.Hour), "https://example.com/x?y=1", "k 'ey", "abc"
		s.Items[1].Kind, s.Items[1].Name = jobs.Row, ""
		s.Priority, s.ResultTTL, s.Attempts = jobs.Batch, 90*time.Minute, 7
	})
	j := r.wants(s.ID, jobs.Queued, 0, 0, 0)
	if got, want := asJSON(inUTC(j.Spec)), asJSON(s); got != want {
		r.Errorf("spec\n%s\nwant\n%s", got, want)
	}
	if j.Total != 2 || j.Fence != 0 || !j.Started.IsZero() || j.Problem != nil || j.Canceled || j.Told {
		r.Errorf("a new job: %+v", j)
	}
	if j := r.get(r.add(1).ID); !j.Told {
		r.Error("a job without a webhook has nobody to be told")
	}
	r.has(s.ID, 0, 10)
}

// look: where a store can give a job without its items, it gives the same otherwise.
func look(r *rig) {
	l, ok := r.Store.(jobs.Looker)
	if !ok {
		r.Skip("the store has no Look")
	}
	same := func(id string) {
		r.Helper()
		got, err := l.Look(r.ctx, id)
		r.must(err)
		want := r.get(id)
		if len(got.Items) != 0 || got.Total != 3 {
			r.Errorf("%d items of %d", len(got.Items), got.Total)
		}
		if got.Items = want.Items; asJSON(got) != asJSON(want) {
			r.Errorf("look\n%s\nget\n%s", asJSON(got), asJSON(want))
		}
	}
	r.add(1)
	s := r.add(3, func(s *jobs.Spec) { s.Webhook = "https://example.com/hook" })
	same(s.ID)
	list := r.take(2)
	same(s.ID)
	for _, j := range list {
		r.must(r.Settle(r.ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Failed, Burn: true, Problem: &jobs.Problem{Code: "x"}}, []jobs.Result{bad(0, `1`)}))
	}
	same(s.ID)
	for _, id := range []string{newID(), "", "' or 1=1 --"} {
		_, err := l.Look(r.ctx, id)
		r.refused(err, fault.NotFound, "job_not_found")
	}
}

// inUTC is a spec with times as the tests make them.
func inUTC(s jobs.Spec) jobs.Spec {
	for _, t := range []*time.Time{&s.Created, &s.RunAt, &s.Deadline} {
		if !t.IsZero() {
			*t = t.UTC()
		}
	}
	return s
}

func createTwice(r *rig) {
	s := r.add(1)
	again := r.spec(1, func(again *jobs.Spec) { again.ID, again.Model = s.ID, "other" })
	_, err := r.Create(r.ctx, again)
	r.refused(err, fault.Conflict, "conflict")
	if j := r.get(s.ID); j.Model != "shapes" {
		r.Error("the second one has overwritten the first")
	}
}

func unknown(r *rig) {
	r.add(1)
	for _, id := range []string{newID(), "", "x", "' or 1=1 --", "a/../b", "{x}:1", string(make([]byte, 5000))} {
		_, err := r.Get(r.ctx, id)
		r.refused(err, fault.NotFound, "job_not_found")
		_, err = r.Results(r.ctx, id, 0, 10)
		r.refused(err, fault.NotFound, "job_not_found")
		for _, c := range []jobs.Change{jobs.Cancel, jobs.Retry, jobs.Told} {
			_, err = r.Change(r.ctx, id, c)
			r.refused(err, fault.NotFound, "job_not_found")
		}
	}
}

func key(r *rig) {
	with := func(tenant, key string) func(*jobs.Spec) {
		return func(s *jobs.Spec) { s.Tenant, s.Key, s.Digest = tenant, key, "d of "+s.ID }
	}
	first := r.add(1, with("a", "k"))
	j, err := r.Create(r.ctx, r.spec(2, with("a", "k")))
	r.must(err)
	if j == nil || j.ID != first.ID || j.Digest != first.Digest || j.State != jobs.Queued || len(j.Items) != 1 {
		r.Fatalf("the same key: %+v, want job %s", j, first.ID)
	}
	r.add(1, with("b", "k"))
	r.add(1, with("", "k"))
	r.add(1, with("a", "K"))
	r.add(1, with("ak", ""))
	r.add(1, with("ak", "")) // no key: never the same
	r.add(1, with("", "ak"))
	r.take(1)
	list, _, err := r.List(r.ctx, jobs.Filter{Limit: 100})
	r.must(err)
	if len(list) != 7 {
		r.Errorf("%d jobs, want 7", len(list))
	}
	if by, ok := r.Store.(jobs.Keyed); ok {
		if j, err := by.ByKey(r.ctx, "a", "k"); err != nil || j.ID != first.ID || j.Total != 1 || len(j.Items) != 0 {
			r.Errorf("by its key: %+v, %v", j, err)
		}
		_, err := by.ByKey(r.ctx, "c", "k")
		r.refused(err, fault.NotFound, "job_not_found")
	}
	// A job that is running or final holds its key.
	r.finishAll()
	j, err = r.Create(r.ctx, r.spec(1, with("a", "k")))
	r.must(err)
	if j == nil || j.ID != first.ID || !j.State.Final() {
		r.Errorf("the key of a final job: %+v", j)
	}
	if r.place.Advance == nil {
		return
	}
	r.pass(61 * time.Minute)
	r.sweep()
	r.add(1, with("a", "k"))
}

// finishAll ends every job, those included whose leases end.
func (r *rig) finishAll() {
	r.Helper()
	list, _, err := r.List(r.ctx, jobs.Filter{Limit: 1000})
	r.must(err)
	left := 0
	for _, j := range list {
		if j.State == jobs.Running {
			r.pass(r.place.Lease + 50*time.Millisecond)
		}
		if !j.State.Final() {
			left++
		}
	}
	for _, j := range r.take(left) {
		r.must(r.Settle(r.ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
	}
}

// keysAtOnce: of many that create with one key through two stores, one does; the others are given its job.
func keysAtOnce(r *rig) {
	stores := []jobs.Store{r.Store, r.place.Open(r.T)}
	const callers = 16
	var (
		wait    sync.WaitGroup
		specs   [callers]*jobs.Spec
		got     [callers]*jobs.Job
		errs    [callers]error
		created []string
	)
	for i := range callers {
		specs[i] = r.spec(1, func(s *jobs.Spec) { s.Key = "same" })
		wait.Go(func() { got[i], errs[i] = stores[i%2].Create(r.ctx, specs[i]) })
	}
	wait.Wait()
	for i := range callers {
		r.must(errs[i])
		if got[i] == nil {
			created = append(created, specs[i].ID)
		}
	}
	if len(created) != 1 {
		r.Fatalf("%d jobs were created, want 1", len(created))
	}
	for i := range callers {
		if got[i] != nil && got[i].ID != created[0] {
			r.Errorf("caller %d got job %s, want %s", i, got[i].ID, created[0])
		}
		if _, err := r.Get(r.ctx, specs[i].ID); (err == nil) != (specs[i].ID == created[0]) {
			r.Errorf("job of caller %d: %v", i, err)
		}
	}
}

// manyItems: a large job comes back whole, in its lease too.
func manyItems(r *rig) {
	s := r.spec(1)
	for i := range 9_999 {
		s.Items = append(s.Items, s.Items[0])
		s.Items[i+1].Name = fmt.Sprintf("folder/%d.jpg", i)
	}
	_, err := r.Create(r.ctx, s)
	r.must(err)
	j, l := r.one(s.ID)
	if asJSON(j.Items) != asJSON(s.Items) || asJSON(r.get(s.ID).Items) != asJSON(s.Items) {
		r.Fatal("items differ")
	}
	var add []jobs.Result
	for i := range 10_000 {
		if add = append(add, good(i, fmt.Sprint(i))); len(add) == 500 {
			_, err := r.Extend(r.ctx, l, r.place.Lease, add)
			r.must(err)
			add = add[:0]
		}
	}
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	r.wants(s.ID, jobs.Succeeded, 10_000, 0, 0)
	r.has(s.ID, 9_998, 10, good(9_998, "9998"), good(9_999, "9999"))
}
