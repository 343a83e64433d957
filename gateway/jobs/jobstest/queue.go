package jobstest

import (
	"time"

	"triton-gateway/gateway/jobs"
)

// at makes a job of a class that arrived d after the given time.
func (r *rig) at(p jobs.Priority, t time.Time, d time.Duration) string {
	r.Helper()
	return r.add(1, func(s *jobs.Spec) { s.Priority, s.Created, s.RunAt = p, t.Add(d), t.Add(d) }).ID
}

func order(r *rig) {
	if r.place.Loose {
		r.Skip("the order is not kept exactly")
	}
	t := r.now().Add(-10 * time.Minute)
	want := make([]string, 8)
	want[3] = r.at(jobs.Batch, t, 0)
	want[5] = r.at(jobs.Realtime, t, 70*time.Second)
	want[2] = r.at(jobs.Interactive, t, 10*time.Second)
	want[4] = r.at(jobs.Interactive, t, 25*time.Second)
	want[0] = r.at(jobs.Batch, t, -30*time.Second)
	want[1] = r.at(jobs.Realtime, t, 45*time.Second)
	want[7] = r.at(jobs.Realtime, t, 95*time.Second)
	want[6] = r.at(jobs.Batch, t, 30*time.Second)
	var got []string
	for _, n := range []int{3, 1, 2, 2} {
		for _, j := range r.take(n) {
			got = append(got, j.ID)
		}
	}
	if asJSON(got) != asJSON(want) {
		r.Errorf("order %v\nwant %v", got, want)
	}
	r.none()
}

// noStarving: urgent jobs keep coming, and the batch job gets its turn once it has waited for its class's lead.
func noStarving(r *rig) {
	if r.place.Loose || r.place.Advance == nil {
		r.Skip("needs the exact order and a clock that is set")
	}
	batch := r.at(jobs.Batch, r.now(), -time.Second)
	for i := range 20 {
		r.at(jobs.Realtime, r.now(), 0)
		j := r.take(1)[0]
		if passed := time.Duration(i) * 5 * time.Second; (j.ID == batch) != (passed == jobs.Realtime.Lead()) {
			r.Fatalf("after %v: leased %s, batch is %s", passed, j.ID, batch)
		} else if j.ID == batch {
			return
		}
		r.must(r.Settle(r.ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
		r.pass(5 * time.Second)
	}
}

// runAt: a job is not leased before its time, be it as urgent as can be, and whatever else is leased.
func runAt(r *rig) {
	later := 2 * time.Second
	for _, p := range []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch} {
		id, due := r.at(p, r.now(), later), r.at(jobs.Batch, r.now(), 0)
		for end := time.Now().Add(20 * time.Second); ; {
			list, err := r.Lease(r.ctx, 10, r.place.Lease)
			r.must(err)
			if len(list) > 1 || len(list) == 1 && list[0].ID != due {
				r.Fatalf("leased %d jobs, the first one %s; want %s alone, %s is not due", len(list), list[0].ID, due, id)
			}
			if len(list) == 1 {
				r.must(r.Settle(r.ctx, jobs.Lease{ID: due, Fence: list[0].Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
				break
			}
			if time.Now().After(end) {
				r.Fatal("the job that is due is not leased")
			}
		}
		r.none()
		r.pass(later + 10*time.Millisecond)
		_, l := r.one(id)
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	}
}

func placeInQueue(r *rig) {
	t := r.now().Add(-5 * time.Minute)
	ids := []string{r.at(jobs.Realtime, t, 0), r.at(jobs.Interactive, t, 0), r.at(jobs.Batch, t, 0), r.at(jobs.Batch, t, time.Second)}
	r.at(jobs.Realtime, r.now(), time.Hour) // not due: before nobody
	for i, id := range ids {
		if got := r.get(id).Place; got != i && got != -1 && (!r.place.Loose || got < -1 || got > 4) {
			r.Errorf("job %d has place %d", i, got)
		}
	}
	r.take(1)
	if got := r.get(ids[3]).Place; got != 2 && got != -1 && !r.place.Loose {
		r.Errorf("place %d after one was leased, want 2", got)
	}
}

func fence(r *rig) {
	s := r.add(1)
	var last int64
	for i := range 4 {
		j, l := r.one(s.ID)
		if l.Fence <= last {
			r.Fatalf("fence %d after %d", l.Fence, last)
		}
		if last = l.Fence; r.get(s.ID).Fence != last {
			r.Error("the fence is not the job's")
		}
		if j.Started.IsZero() || i > 0 && !j.Started.Equal(r.get(s.ID).Started) {
			r.Errorf("started %v", j.Started)
		}
		r.none()
		r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, nil))
	}
	r.wants(s.ID, jobs.Queued, 0, 0, 0)
}

// leaseEnds: a worker that died costs time and no attempt, and what it has done stays done.
func leaseEnds(r *rig) {
	s := r.add(3)
	first, l := r.one(s.ID)
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(1, `"b"`)})
	r.must(err)
	r.none()
	r.pass(r.place.Lease/2 + time.Millisecond)
	r.none()
	_, err = r.Extend(r.ctx, l, r.place.Lease, nil)
	r.must(err)
	r.pass(r.place.Lease/2 + time.Millisecond)
	r.none() // the heartbeat has prolonged it
	r.pass(r.place.Lease)
	second, _ := r.one(s.ID)
	if second.Fence <= first.Fence || second.Attempt != 0 || second.Done != 1 || !second.Started.Equal(first.Started) {
		r.Errorf("taken over: %+v after %+v", second, first)
	}
	r.wants(s.ID, jobs.Running, 1, 0, 0)
}

// lateButFirst: a lease that has ended holds until another takes the job.
func lateButFirst(r *rig) {
	s := r.add(1)
	_, l := r.one(s.ID)
	r.pass(r.place.Lease + 10*time.Millisecond)
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(0, `1`)})
	r.must(err)
	r.none()
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	r.wants(s.ID, jobs.Succeeded, 1, 0, 0)
}

func staleFence(r *rig) {
	s := r.add(2)
	_, old := r.one(s.ID)
	r.pass(r.place.Lease + 10*time.Millisecond)
	_, l := r.one(s.ID)
	_, err := r.Extend(r.ctx, old, 100*r.place.Lease, []jobs.Result{good(0, `"stale"`)})
	r.lost(err)
	for _, state := range []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Queued} {
		r.lost(r.Settle(r.ctx, old, jobs.Outcome{State: state, Burn: true, Problem: &jobs.Problem{Code: "x"}}, []jobs.Result{bad(0, `"stale"`)}))
	}
	for _, l := range []jobs.Lease{{ID: s.ID}, {ID: s.ID, Fence: l.Fence + 1}, {ID: s.ID, Fence: -1}} {
		r.lost(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	}
	if j := r.wants(s.ID, jobs.Running, 0, 0, 0); j.Problem != nil || j.Fence != l.Fence {
		r.Errorf("a stale worker has written: %+v", j)
	}
	r.has(s.ID, 0, 10)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(0, `"new"`)}))
	r.has(s.ID, 0, 10, good(0, `"new"`))
}

func settledTwice(r *rig) {
	s := r.add(1)
	_, l := r.one(s.ID)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	r.lost(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Failed}, []jobs.Result{good(0, `1`)}))
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(0, `1`)})
	r.lost(err)
	r.wants(s.ID, jobs.Succeeded, 0, 0, 0)
	// Nor may it write when the job waits again.
	s = r.add(1)
	_, l = r.one(s.ID)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Queued}, nil))
	r.lost(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, nil))
	r.wants(s.ID, jobs.Queued, 0, 0, 0)
}

func deadline(r *rig) {
	in := func(d time.Duration) func(*jobs.Spec) {
		return func(s *jobs.Spec) { s.Deadline = s.Created.Add(d) }
	}
	soon, later := r.add(1, in(time.Second)), r.add(1, in(time.Hour))
	r.pass(1100 * time.Millisecond)
	r.one(later.ID)
	r.until(soon.ID, jobs.Expired)
	j := r.wants(soon.ID, jobs.Expired, 0, 0, 0)
	if !j.Started.IsZero() || j.Fence != 0 {
		r.Errorf("an expired job was started: %+v", j)
	}
}

// deadlineOfDead: the deadline passed while a worker that died had the job.
func deadlineOfDead(r *rig) {
	s := r.add(2, func(s *jobs.Spec) { s.Deadline = s.Created.Add(r.place.Lease) })
	_, l := r.one(s.ID)
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(1, `1`)})
	r.must(err)
	r.pass(2 * r.place.Lease)
	r.until(s.ID, jobs.Expired)
	r.wants(s.ID, jobs.Expired, 1, 0, 0)
	r.has(s.ID, 0, 10, good(1, `1`))
	_, err = r.Extend(r.ctx, l, r.place.Lease, nil)
	r.lost(err)
}
