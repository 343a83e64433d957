package jobstest

import (
	"time"

	"triton-gateway/gateway/jobs"
)

// crashed lets the lease of a job end and takes it over; its count of crashes has to be the given one, in its lease as for all who look.
func (r *rig) crashed(id string, want int) jobs.Lease {
	r.Helper()
	r.pass(r.place.Lease + 10*time.Millisecond)
	j, l := r.one(id)
	if got := r.get(id).Crashes; j.Crashes != want || got != want || j.Attempt != 0 {
		r.Fatalf("taken over with %d crashes and %d attempts, seen with %d crashes; want %d, 0", j.Crashes, j.Attempt, got, want)
	}
	return l
}

// crashes: leases that end with their worker are counted until there is a new result; whatever else a worker writes does not make it one that
// gets on.
func crashes(r *rig) {
	s := r.add(4)
	j, l := r.one(s.ID)
	if j.Crashes != 0 {
		r.Errorf("a first lease has %d crashes", j.Crashes)
	}
	r.crashed(s.ID, 1)
	l = r.crashed(s.ID, 2)
	_, err := r.Extend(r.ctx, l, r.place.Lease, nil)
	r.must(err)
	l = r.crashed(s.ID, 3)
	page, _, err := r.List(r.ctx, jobs.Filter{Limit: 1})
	r.must(err)
	if len(page) != 1 || page[0].Crashes != 3 {
		r.Errorf("a list has %+v, want 3 crashes", page)
	}
	_, err = r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(2, `1`)})
	r.must(err)
	if got := r.get(s.ID).Crashes; got != 0 {
		r.Errorf("%d crashes after a result", got)
	}
	l = r.crashed(s.ID, 1)
	_, err = r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{bad(2, `"again"`)})
	r.must(err)
	l = r.crashed(s.ID, 2)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, []jobs.Result{good(2, `"again"`)})) // given back
	if j, l = r.one(s.ID); j.Crashes != 2 {
		r.Errorf("%d crashes after the job was given back, want 2", j.Crashes)
	}
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, []jobs.Result{bad(0, `1`)}))
	if j, _ = r.one(s.ID); j.Crashes != 0 {
		r.Errorf("%d crashes after it was given back with a result, want none", j.Crashes)
	}
}

// crashesAnew: a job that is retried has none, and one that ended keeps its count.
func crashesAnew(r *rig) {
	s := r.add(2)
	r.one(s.ID)
	l := r.crashed(s.ID, 1)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Failed}, nil))
	if got := r.wants(s.ID, jobs.Failed, 0, 0, 0).Crashes; got != 1 {
		r.Errorf("%d crashes of a failed job, want 1", got)
	}
	if j, err := r.Change(r.ctx, s.ID, jobs.Retry); err != nil || j.Crashes != 0 {
		r.Errorf("retried: %+v, %v", j, err)
	}
	if j, _ := r.one(s.ID); j.Crashes != 0 {
		r.Errorf("%d crashes of a retried job", j.Crashes)
	}
}

// lateAfterSweep: a lease has ended and a sweep has seen it, but no other worker has taken the job. Its worker goes on, or ends it, and was
// never dead.
func lateAfterSweep(r *rig) {
	for _, deadline := range []time.Duration{0, time.Hour} {
		s := r.add(1, func(s *jobs.Spec) {
			if deadline > 0 {
				s.Deadline = s.Created.Add(deadline)
			}
		})
		_, l := r.one(s.ID)
		r.pass(r.place.Lease + 10*time.Millisecond)
		r.sweep()
		_, err := r.Extend(r.ctx, l, r.place.Lease, nil)
		r.must(err)
		r.none()
		r.pass(r.place.Lease + 10*time.Millisecond)
		r.sweep()
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
		if got := r.wants(s.ID, jobs.Succeeded, 0, 0, 0).Crashes; got != 0 {
			r.Errorf("%d crashes", got)
		}
	}
}
