package jobstest

import (
	"fmt"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func results(r *rig) {
	s := r.add(4)
	_, l := r.one(s.ID)
	canceled, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(2, `{"a": 1.0,  "ü":"<"}`), bad(0, `{"code":"invalid_image"}`)})
	r.must(err)
	if canceled {
		r.Error("nobody has cancelled it")
	}
	r.wants(s.ID, jobs.Running, 2, 1, 0)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(3, `[]`), good(1, `null`)}))
	j := r.wants(s.ID, jobs.Succeeded, 4, 1, 0)
	if j.Problem != nil || j.Finished.Before(j.Started) {
		r.Errorf("succeeded: %+v", j)
	}
	r.has(s.ID, 0, 10, good(2, `{"a": 1.0,  "ü":"<"}`), bad(0, `{"code":"invalid_image"}`), good(3, `[]`), good(1, `null`))
}

// resultsOnce: an item that was done twice, by a worker and by the one that took over, has one result.
func resultsOnce(r *rig) {
	s := r.add(3)
	_, l := r.one(s.ID)
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(1, `"first"`), bad(1, `"same call"`)})
	r.must(err)
	_, err = r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{bad(1, `"again"`), good(0, `"other"`)})
	r.must(err)
	r.wants(s.ID, jobs.Running, 2, 0, 0)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, []jobs.Result{good(0, `"again"`)}))
	_, l = r.one(s.ID)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(1, `"late"`), good(2, `"last"`)}))
	r.wants(s.ID, jobs.Succeeded, 3, 0, 0)
	r.has(s.ID, 0, 10, good(1, `"first"`), good(0, `"other"`), good(2, `"last"`))
}

func resultsPages(r *rig) {
	s := r.add(25)
	_, l := r.one(s.ID)
	var all []jobs.Result
	for i := range 25 {
		all = append(all, good(24-i, fmt.Sprint(i)))
		if i%7 == 6 {
			_, err := r.Extend(r.ctx, l, r.place.Lease, all[i-6:])
			r.must(err)
			r.has(s.ID, 0, 3, all[:3]...)
		}
	}
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, all[21:]))
	for _, size := range []int{1, 10, 100} {
		for from := 0; from < 25; from += size {
			r.has(s.ID, from, size, all[from:min(from+size, 25)]...)
		}
	}
	r.has(s.ID, 25, 10)
	r.has(s.ID, 1000, 10)
}

func settleFinal(r *rig) {
	for _, state := range []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired} {
		s := r.add(1)
		_, l := r.one(s.ID)
		var problem *jobs.Problem
		if state == jobs.Failed {
			problem = &jobs.Problem{Code: "invalid_image", Detail: `not an "image": ü`, Poison: true}
		}
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: state, Problem: problem, Burn: problem != nil}, nil))
		burnt := 0
		if problem != nil {
			burnt = 1
		}
		if j := r.wants(s.ID, state, 0, 0, burnt); asJSON(j.Problem) != asJSON(problem) {
			r.Errorf("problem %s, want %s", asJSON(j.Problem), asJSON(problem))
		}
		r.none()
	}
}

// settleQueued: a failed attempt is used up, and the next one waits. How many there are is not the store's business.
func settleQueued(r *rig) {
	s := r.add(1, func(s *jobs.Spec) { s.Attempts = 2 })
	for attempt := range 4 {
		j, l := r.one(s.ID)
		if j.Attempt != attempt {
			r.Fatalf("attempt %d, want %d", j.Attempt, attempt)
		}
		again := r.now().Add(2 * time.Second)
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued, Burn: true, RunAt: again, Problem: &jobs.Problem{Code: "upstream_error"}}, nil))
		j = r.wants(s.ID, jobs.Queued, 0, 0, attempt+1)
		if j.Problem == nil || j.Problem.Code != "upstream_error" || !j.RunAt.Equal(again) {
			r.Errorf("waits for its next attempt: problem %v, at %v, want %v", j.Problem, j.RunAt, again)
		}
		r.none()
		r.pass(2100 * time.Millisecond)
	}
}

// givenBack: a job that is given back, as at a shutdown, is due at once, where it was: after those that came earlier, before those that came later.
func givenBack(r *rig) {
	t := r.now().Add(-time.Minute)
	want := []string{r.at(jobs.Batch, t, 0), r.at(jobs.Batch, t, time.Second), r.at(jobs.Batch, t, 2*time.Second)}
	for _, at := range []time.Time{{}, t.Add(-time.Hour), r.now().Add(-time.Second)} {
		list := r.take(2)
		for i := range list {
			j := list[1-i]
			r.must(r.Settle(r.ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Queued, RunAt: at}, nil))
		}
	}
	for i, j := range r.take(3) {
		if came := t.Add(time.Duration(i) * time.Second); !r.place.Loose && (j.ID != want[i] || !j.RunAt.Equal(came)) {
			r.Errorf("job %d of the queue is %s, arrived at %v; want %s, %v", i, j.ID, j.RunAt, want[i], came)
		}
		r.wants(j.ID, jobs.Running, 0, 0, 0)
	}
}

func cancelQueued(r *rig) {
	s := r.add(1)
	j, err := r.Change(r.ctx, s.ID, jobs.Cancel)
	r.must(err)
	if j.ID != s.ID || j.State != jobs.Canceled || j.Finished.IsZero() {
		r.Errorf("cancelled: %+v", j)
	}
	r.wants(s.ID, jobs.Canceled, 0, 0, 0)
	r.none()
	later := r.at(jobs.Realtime, r.now(), time.Hour) // one that is not due as well
	r.must2(r.Change(r.ctx, later, jobs.Cancel))
	r.wants(later, jobs.Canceled, 0, 0, 0)
}

func cancelRunning(r *rig) {
	s := r.add(2)
	_, l := r.one(s.ID)
	for range 2 {
		j, err := r.Change(r.ctx, s.ID, jobs.Cancel)
		r.must(err)
		if j.State != jobs.Running || !j.Canceled {
			r.Errorf("a running job that is to be cancelled: %+v", j)
		}
	}
	canceled, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(0, `1`)})
	r.must(err)
	if !canceled {
		r.Error("the worker is not told")
	}
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Canceled}, nil))
	r.wants(s.ID, jobs.Canceled, 1, 0, 0)
	// A worker that was done first wins.
	s = r.add(1)
	_, l = r.one(s.ID)
	r.must2(r.Change(r.ctx, s.ID, jobs.Cancel))
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(0, `1`)}))
	r.wants(s.ID, jobs.Succeeded, 1, 0, 0)
}

// cancelGivenBack: the worker gave the job back before it heard that it was cancelled.
func cancelGivenBack(r *rig) {
	s := r.add(1)
	_, l := r.one(s.ID)
	r.must2(r.Change(r.ctx, s.ID, jobs.Cancel))
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, nil))
	r.until(s.ID, jobs.Canceled)
	r.wants(s.ID, jobs.Canceled, 0, 0, 0)
}

// cancelDead: the worker died before it heard.
func cancelDead(r *rig) {
	s := r.add(1)
	r.one(s.ID)
	r.must2(r.Change(r.ctx, s.ID, jobs.Cancel))
	r.pass(r.place.Lease + 10*time.Millisecond)
	r.until(s.ID, jobs.Canceled)
	r.wants(s.ID, jobs.Canceled, 0, 0, 0)
}

func cancelFinal(r *rig) {
	for _, state := range []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired} {
		s := r.add(1)
		r.finish(s.ID, state, good(0, `1`))
		_, err := r.Change(r.ctx, s.ID, jobs.Cancel)
		r.refused(err, fault.Conflict, "conflict")
		r.wants(s.ID, state, 1, 0, 0)
	}
}

// retry: the job is new but for its good results and its fence.
func retry(r *rig) {
	for _, state := range []jobs.State{jobs.Failed, jobs.Canceled} {
		s := r.add(5, func(s *jobs.Spec) { s.Webhook = "https://example.com/hook" })
		_, l := r.one(s.ID)
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued, Burn: true}, []jobs.Result{bad(4, `"no"`), good(3, `"d"`)}))
		_, l = r.one(s.ID)
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: state, Burn: true, Problem: &jobs.Problem{Code: "x", Detail: "y"}},
			[]jobs.Result{bad(0, `"no"`), good(1, `"b"`)}))
		r.wants(s.ID, state, 4, 2, 2)
		r.must2(r.Change(r.ctx, s.ID, jobs.Told))
		j, err := r.Change(r.ctx, s.ID, jobs.Retry)
		r.must(err)
		if j.State != jobs.Queued || j.Problem != nil || j.Canceled || j.Told || j.Fence != l.Fence {
			r.Errorf("to be retried: %+v", j)
		}
		r.wants(s.ID, jobs.Queued, 2, 0, 0)
		r.has(s.ID, 0, 10, good(3, `"d"`), good(1, `"b"`))
		_, newer := r.one(s.ID)
		if newer.Fence <= l.Fence {
			r.Errorf("fence %d after %d", newer.Fence, l.Fence)
		}
		r.lost(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Failed}, nil))
		r.must(r.Settle(r.ctx, newer, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(0, `"a"`), good(4, `"e"`), good(2, `"c"`)}))
		r.wants(s.ID, jobs.Succeeded, 5, 0, 0)
		r.has(s.ID, 1, 10, good(1, `"b"`), good(0, `"a"`), good(4, `"e"`), good(2, `"c"`))
	}
}

func retryRefused(r *rig) {
	s := r.add(1)
	refuse := func() {
		r.Helper()
		_, err := r.Change(r.ctx, s.ID, jobs.Retry)
		r.refused(err, fault.Conflict, "conflict")
	}
	refuse()
	_, l := r.one(s.ID)
	refuse()
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	refuse()
	r.wants(s.ID, jobs.Succeeded, 0, 0, 0)
	if _, err := r.Change(r.ctx, s.ID, "explode"); err == nil {
		r.Error("a change that is none was taken")
	}
}

func retryExpired(r *rig) {
	s := r.add(1, func(s *jobs.Spec) { s.Deadline = s.Created.Add(time.Second) })
	r.pass(1100 * time.Millisecond)
	r.until(s.ID, jobs.Expired)
	j, err := r.Change(r.ctx, s.ID, jobs.Retry)
	r.must(err)
	if j.State != jobs.Queued || !j.Deadline.IsZero() {
		r.Errorf("to be retried: %s, deadline %v", j.State, j.Deadline)
	}
	j, _ = r.one(s.ID)
	if !j.Deadline.IsZero() {
		r.Errorf("leased with deadline %v", j.Deadline)
	}
	// One that has not passed stays.
	s = r.add(1, func(s *jobs.Spec) { s.Deadline = s.Created.Add(time.Hour) })
	r.finish(s.ID, jobs.Failed)
	if j, err := r.Change(r.ctx, s.ID, jobs.Retry); err != nil || !j.Deadline.Equal(s.Deadline) {
		r.Errorf("deadline %v, %v; want %v", j, err, s.Deadline)
	}
}
