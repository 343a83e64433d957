package jobs_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/jobs"
)

// about wants an estimate within a twentieth.
func (r *rig) about(s *jobs.Service, j *jobs.Job, want time.Duration) {
	r.Helper()
	if d, ok := s.Estimate(j); !ok || (d-want).Abs() > want/20 {
		r.Errorf("%d of %d items done, place %d: estimated %v, %v; want %v", j.Done, j.Total, j.Place, d, ok, want)
	}
}

// of is a queued job as a store would give it.
func of(model string, p jobs.Priority, items, place int) *jobs.Job {
	return &jobs.Job{Spec: jobs.Spec{Model: model, Priority: p}, State: jobs.Queued, Total: items, Place: place}
}

// TestEstimate: what is before a job, shared out, and its own items, at the pace of the jobs that were done.
func TestEstimate(t *testing.T) {
	bubble(t, func(r *rig) {
		if d, ok := r.Estimate(r.submit(submission("a"))); ok {
			r.Errorf("estimated %v from nothing", d)
		}
		r.model.took = time.Second
		stop := r.work()
		for i := range 10 { // 16 items at a time: a job of 32 takes 2 s, one of 1 takes 1 s
			for _, n := range []int{1, 32} {
				in := submission(texts(n)...)
				in.Priority = []jobs.Priority{jobs.Batch, jobs.Realtime}[i%2]
				r.ends(r.submit(in).ID, jobs.Succeeded, n, 0, 0)
			}
		}
		for _, p := range []jobs.Priority{jobs.Batch, jobs.Realtime, jobs.Interactive} { // of the last, only the model is known
			r.about(r.Service, of("shapes", p, 1, 0), time.Second)
			r.about(r.Service, of("shapes", p, 32, 0), 2*time.Second)
			r.about(r.Service, of("shapes", p, 320, 0), 11290*time.Millisecond)
		}
		r.about(r.Service, of("shapes", jobs.Batch, 1, 1), time.Second) // the other worker is free
		// 9 before it on two workers: 8 have to end first, and any job takes about 1.5 s.
		if d, ok := r.Estimate(of("shapes", jobs.Batch, 1, 9)); !ok || d < 6*time.Second || d > 8*time.Second {
			r.Errorf("behind nine: %v", d)
		}
		running := of("shapes", jobs.Batch, 33, -1)
		running.State, running.Done = jobs.Running, 1
		r.about(r.Service, running, 2*time.Second)
		in := submission("a")
		in.Delay = time.Hour
		r.about(r.Service, r.submit(in), time.Hour+time.Second)
		done := of("shapes", jobs.Batch, 1, 0)
		done.State = jobs.Failed
		for _, j := range []*jobs.Job{of("other", jobs.Batch, 1, 0), of("shapes", jobs.Batch, 1, -1), done} {
			if d, ok := r.Estimate(j); ok {
				r.Errorf("%s of %s, place %d: estimated %v", j.State, j.Model, j.Place, d)
			}
		}
		stop()
	}, func(d *jobs.Deps) { d.Limits.Workers = 2 })
}

// TestEstimateWithoutWorkers: a process that only takes jobs in learns from those that others have done, each once, and counts those that are running.
func TestEstimateWithoutWorkers(t *testing.T) {
	bubble(t, func(r *rig) {
		api := jobs.New(jobs.Deps{Store: r.store})
		stop := r.work()
		r.model.took = 3 * time.Second
		slow := r.ends(r.submit(submission("a")).ID, jobs.Succeeded, 1, 0, 0)
		r.model.took = time.Second
		for i := range 20 {
			r.ends(r.submit(submission(fmt.Sprint(i))).ID, jobs.Succeeded, 1, 0, 0)
		}
		if _, err := api.Get(r.Context(), nil, slow.ID); err != nil {
			r.Fatal(err)
		}
		r.about(api, of("shapes", jobs.Interactive, 1, 0), 3*time.Second)
		list, _, err := r.List(r.Context(), jobs.Filter{Limit: 20})
		if err != nil {
			r.Fatal(err)
		}
		for i := range list { // the oldest first
			if _, err := api.Get(r.Context(), nil, list[len(list)-1-i].ID); err != nil {
				r.Fatal(err)
			}
		}
		for range 100 {
			if _, err := api.Get(r.Context(), nil, slow.ID); err != nil {
				r.Fatal(err)
			}
		}
		if d, ok := api.Estimate(of("shapes", jobs.Interactive, 1, 0)); !ok || d < time.Second || d > 1300*time.Millisecond {
			r.Errorf("estimated %v, %v after many that took 1 s", d, ok)
		}
		r.model.took = time.Minute
		for i := range 4 {
			r.submit(submission(fmt.Sprint("slow ", i)))
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
		alone, _ := api.Estimate(of("shapes", jobs.Interactive, 1, 3))
		if _, err := api.Stats(r.Context()); err != nil {
			r.Fatal(err)
		}
		shared, _ := api.Estimate(of("shapes", jobs.Interactive, 1, 3)) // four of four are busy: four have to end first
		if alone < 4*time.Second || shared > alone/3*2 {
			r.Errorf("behind three: %v by one worker, %v by four", alone, shared)
		}
		stop()
	}, func(d *jobs.Deps) { d.Limits.Grace = time.Second })
}
