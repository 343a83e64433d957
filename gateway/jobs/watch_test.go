package jobs_test

import (
	"context"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// TestOthersJobs: another tenant's job is not there, whatever is asked.
func TestOthersJobs(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("a")).ID
		other, own := "other", "t"
		calls := map[string]func(tenant *string, id string) error{
			"get": func(tenant *string, id string) error { _, err := r.Get(r.Context(), tenant, id); return err },
			"wait": func(tenant *string, id string) error {
				_, err := r.Wait(r.Context(), tenant, id, time.Second)
				return err
			},
			"results": func(tenant *string, id string) error { _, err := r.Results(r.Context(), tenant, id); return err },
			"events": func(tenant *string, id string) (err error) {
				for _, err = range r.Events(r.Context(), tenant, id, 0) {
				}
				return err
			},
			"retry":  func(tenant *string, id string) error { _, err := r.Retry(r.Context(), tenant, id); return err },
			"cancel": func(tenant *string, id string) error { _, err := r.Cancel(r.Context(), tenant, id); return err },
		}
		for name, call := range calls {
			for _, c := range []struct {
				tenant *string
				id     string
			}{{&other, id}, {&own, "unknown"}, {nil, "unknown"}} {
				if err := call(c.tenant, c.id); err == nil {
					r.Errorf("%s of job %s: no error", name, c.id)
				} else {
					refused(r.T, err, fault.NotFound, "job_not_found", "")
				}
			}
		}
		if j, err := r.Get(r.Context(), &own, id); err != nil || j.State != jobs.Queued {
			r.Errorf("the owner's job: %+v, %v", j, err)
		}
		if err := calls["cancel"](&own, id); err != nil {
			r.Error(err)
		}
		refused(r.T, calls["cancel"](&own, id), fault.Conflict, "conflict", "")
		if err := calls["retry"](&own, id); err != nil {
			r.Error(err)
		}
	})
}

// TestWaitEnds: with the job as soon as it is final, with the time, or with the caller.
func TestWaitEnds(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("a")).ID
		begun := time.Now()
		j, err := r.Wait(r.Context(), nil, id, 20*time.Second)
		if err != nil || j.State != jobs.Queued || time.Since(begun) != 20*time.Second {
			r.Errorf("%+v, %v after %v", j, err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_, err = r.Wait(ctx, nil, id, time.Hour)
		refused(r.T, err, fault.Timeout, "deadline_exceeded", "")
		r.model.took = 4321 * time.Millisecond
		r.work()
		begun = time.Now()
		if r.ends(id, jobs.Succeeded, 1, 0, 0); time.Since(begun) != r.model.took {
			r.Errorf("heard after %v of %v", time.Since(begun), r.model.took)
		}
		// Of another process's job it is heard within a second.
		other := jobs.New(jobs.Deps{Store: r.store})
		id = r.submit(submission("b")).ID
		begun = time.Now()
		if j, err := other.Wait(r.Context(), nil, id, time.Hour); err != nil || !j.State.Final() || time.Since(begun) > r.model.took+time.Second {
			r.Errorf("%v, %v after %v", j.State, err, time.Since(begun))
		}
	})
}

// TestEventsGoOn: from any number of results, in this process and another, no result is missed or told twice.
func TestEventsGoOn(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = time.Second
		r.work()
		id := r.submit(submission(texts(100)...)).ID
		other := jobs.New(jobs.Deps{Store: r.store})
		seen, from := map[int]bool{}, 0
		for _, s := range []*jobs.Service{other, r.Service, other, r.Service} {
			for e, err := range s.Events(r.Context(), nil, id, from) {
				if err != nil {
					r.Fatal(err)
				}
				if e.Result == nil {
					break
				}
				if seen[e.Result.Index] || e.ID != from+1 {
					r.Fatalf("event %d after %d, item %d again: %v", e.ID, from, e.Result.Index, seen[e.Result.Index])
				}
				seen[e.Result.Index], from = true, e.ID
				if from%30 == 0 {
					break
				}
			}
		}
		if len(seen) != 100 {
			r.Errorf("%d results", len(seen))
		}
		for _, from := range []int{100, 1000, -5} {
			n := 0
			var last jobs.Event
			for e, err := range other.Events(r.Context(), nil, id, from) {
				if err != nil {
					r.Fatal(err)
				}
				n, last = n+1, e
			}
			if want := map[int]int{100: 1, 1000: 1, -5: 101}[from]; n != want || last.Result != nil || last.ID != 100 || last.Job.State != jobs.Succeeded {
				r.Errorf("from %d: %d events, the last %+v", from, n, last)
			}
		}
	})
}

func TestEventsEndWithCaller(t *testing.T) {
	bubble(t, func(r *rig) {
		id := r.submit(submission("a")).ID
		ctx, cancel := context.WithCancel(r.Context())
		time.AfterFunc(time.Second, cancel)
		n := 0
		for _, err := range r.Events(ctx, nil, id, 0) {
			n++
			refused(r.T, err, fault.Canceled, "client_closed", "")
		}
		if n != 1 {
			r.Errorf("%d events", n)
		}
	})
}

func TestListChecksFilters(t *testing.T) {
	r := newRig(t)
	r.submit(submission("a"))
	for place, f := range map[string]jobs.Filter{
		"query.limit": {Limit: 0}, "query.state": {Limit: 1, States: []jobs.State{jobs.Queued, "dead"}}, "query.priority": {Limit: 1001, Priority: "x"},
	} {
		if place == "query.priority" {
			f.Limit = 1000
		}
		_, _, err := r.List(t.Context(), f)
		refused(t, err, fault.Invalid, "invalid_request", place)
	}
	page, next, err := r.List(t.Context(), jobs.Filter{Limit: 1000, States: []jobs.State{jobs.Queued}})
	if err != nil || len(page) != 1 || next != "" {
		t.Errorf("%d jobs, %v", len(page), err)
	}
}

// watcher counts what it is told.
type watcher struct{ leased, settled, burnt int }

func (w *watcher) Leased(*jobs.Job, time.Duration) { w.leased++ }
func (w *watcher) Settled(_ *jobs.Job, o jobs.Outcome, _ time.Duration) {
	w.settled++
	if o.Burn {
		w.burnt++
	}
}
func (w *watcher) Told(bool) {}

func TestObserverAndStats(t *testing.T) {
	w := &watcher{}
	bubble(t, func(r *rig) {
		r.model.do = func(context.Context, string, int) error { return fault.New(fault.Upstream, "upstream_error", "x") }
		stop := r.work()
		r.ends(r.submit(submission("a")).ID, jobs.Failed, 0, 0, 3)
		stop()
		if w.leased != 3 || w.settled != 3 || w.burnt != 3 {
			r.Errorf("%+v", w)
		}
		r.submit(submission("b"))
		time.Sleep(2 * time.Second)
		c, err := r.Stats(r.Context())
		if err != nil || c.Jobs[jobs.Interactive][jobs.Queued] != 1 || c.Jobs[jobs.Interactive][jobs.Failed] != 1 {
			r.Errorf("%+v, %v", c, err)
		}
	}, func(d *jobs.Deps) { d.Observer, d.Limits.Workers = w, 1 })
}

// TestSweeps: what is over goes by itself.
func TestSweeps(t *testing.T) {
	bubble(t, func(r *rig) {
		r.work()
		r.run(r.Service.Keep)
		id := r.submit(submission("a")).ID
		r.ends(id, jobs.Succeeded, 1, 0, 0)
		time.Sleep(time.Hour + 20*time.Second)
		_, err := r.Get(r.Context(), nil, id)
		refused(r.T, err, fault.NotFound, "job_not_found", "")
	})
}
