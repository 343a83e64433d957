package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func TestJobSucceeds(t *testing.T) {
	bubble(t, func(r *rig) {
		r.work()
		j := r.submit(submission("a", "b", "a"))
		if j.State != jobs.Queued || j.Total != 3 || j.Priority != jobs.Interactive || j.Attempts != 3 || j.ResultTTL != time.Hour {
			r.Errorf("accepted: %+v", j)
		}
		j = r.ends(j.ID, jobs.Succeeded, 3, 0, 0)
		got := r.results(j.ID)
		if got[1] != `{"model":"shapes","text":"b","from_cache":false}` || len(got) != 3 {
			r.Errorf("results %v", got)
		}
		slices.Sort(got)
		if got[0] != `{"model":"shapes","text":"a","from_cache":false}` || got[1] != `{"model":"shapes","text":"a","from_cache":true}` {
			r.Errorf("the same picture twice: %v", got)
		}
		if took := j.Finished.Sub(j.Created); took != 0 {
			r.Errorf("a job that is handed in here waits %v for a worker", took)
		}
	})
}

func TestItemsRunSideBySideWithinBounds(t *testing.T) {
	for _, c := range []struct {
		limits jobs.Limits
		want   int
	}{{jobs.Limits{Parallel: 5, Workers: 1}, 5}, {jobs.Limits{Parallel: 4, Workers: 2}, 8}, {jobs.Limits{Parallel: 16, Workers: 2, Memory: 13}, 2}} {
		bubble(t, func(r *rig) {
			r.model.took = time.Second
			a, b := r.submit(submission(texts(10)...)), r.submit(submission(texts(10)...))
			r.work()
			r.ends(a.ID, jobs.Succeeded, 10, 0, 0)
			r.ends(b.ID, jobs.Succeeded, 10, 0, 0)
			if r.model.most != c.want {
				r.Errorf("%+v: %d items ran at a time, want %d", c.limits, r.model.most, c.want)
			}
		}, func(d *jobs.Deps) { d.Limits = c.limits })
	}
}

func TestBadItemFailsAlone(t *testing.T) {
	bubble(t, func(r *rig) {
		r.work()
		j := r.ends(r.submit(submission("a", "bad 1", "b")).ID, jobs.Succeeded, 3, 1, 0)
		if got := r.results(j.ID)[1]; got != `{"code":"invalid_image","detail":"bad 1 is no picture"}` {
			r.Errorf("the bad item's result: %s", got)
		}
	})
}

func TestAllBadIsPoison(t *testing.T) {
	bubble(t, func(r *rig) {
		r.work()
		j := r.ends(r.submit(submission("bad 1", "bad 2")).ID, jobs.Failed, 2, 2, 1)
		if p := j.Problem; p == nil || !p.Poison || p.Code != "invalid_image" || p.Detail != "bad 1 is no picture" {
			r.Errorf("problem %+v", p)
		}
		dead, _, err := r.List(r.Context(), jobs.Filter{States: []jobs.State{jobs.Failed}, Limit: 10})
		if err != nil || len(dead) != 1 || !dead[0].Problem.Poison {
			r.Errorf("dead letters %v, %v", dead, err)
		}
	})
}

// TestFailingAttempts: an attempt that fails is used up, what is done stays done, the next one comes later, and after the last one the job is dead.
func TestFailingAttempts(t *testing.T) {
	bubble(t, func(r *rig) {
		upstream := fault.New(fault.Upstream, "upstream_error", "the model failed")
		r.model.do = func(_ context.Context, text string, call int) error {
			if text == "item 1" || text == "item 4" && call < 3 {
				return upstream
			}
			return nil
		}
		r.work()
		id := r.submit(submission(texts(6)...)).ID
		j := r.ends(id, jobs.Failed, 5, 0, 3)
		if j.Problem == nil || j.Problem.Code != "upstream_error" || j.Problem.Poison {
			r.Errorf("problem %+v", j.Problem)
		}
		if a, b, c := r.model.count("item 0"), r.model.count("item 1"), r.model.count("item 4"); a != 1 || b != 3 || c != 3 {
			r.Errorf("calls of items that are good, failing, failing twice: %d, %d, %d; want 1, 3, 3", a, b, c)
		}
		if took := j.Finished.Sub(j.Created); took > 4*time.Second {
			r.Errorf("three attempts took %v; backoffs are at most 1 s and 2 s", took)
		}
		r.model.do = nil
		if _, err := r.Retry(r.Context(), nil, id); err != nil {
			r.Fatal(err)
		}
		r.ends(id, jobs.Succeeded, 6, 0, 0)
		if a, b := r.model.count("item 0"), r.model.count("item 1"); a != 1 || b != 4 {
			r.Errorf("after a replay: %d, %d calls; want 1, 4", a, b)
		}
	})
}

// TestFailingStopsEarly: a model that answers nothing is not asked for every item of a large job.
func TestFailingStopsEarly(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.do = func(context.Context, string, int) error { return fault.New(fault.Timeout, "deadline_exceeded", "slow") }
		r.work()
		in := submission(texts(1000)...)
		in.Attempts = 1
		r.ends(r.submit(in).ID, jobs.Failed, 0, 0, 1)
		if n := r.model.sum(); n < 8 || n > 8+16 {
			r.Errorf("%d items were tried", n)
		}
	})
}

func TestPanicFailsTheAttempt(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.do = func(_ context.Context, _ string, call int) error {
			if call < 3 {
				panic("secret")
			}
			return nil
		}
		r.work()
		r.ends(r.submit(submission("a")).ID, jobs.Succeeded, 1, 0, 2)
		in := submission("b")
		in.Attempts = 2
		if j := r.ends(r.submit(in).ID, jobs.Failed, 0, 0, 2); j.Problem.Code != "internal" {
			r.Errorf("problem %+v", j.Problem)
		}
	})
}

// TestBusyBurnsNothing: while the pipeline turns items away, the job waits, however long, and is done as soon as it may.
func TestBusyBurnsNothing(t *testing.T) {
	for _, err := range []*fault.Error{
		fault.New(fault.Busy, "queue_full", "full").After(time.Second), fault.New(fault.RateLimited, "rate_limited", "quota"),
		fault.New(fault.Unavailable, "backend_unavailable", "no server"),
	} {
		bubble(t, func(r *rig) {
			begun := time.Now()
			r.model.do = func(context.Context, string, int) error {
				if time.Since(begun) < 5*time.Minute {
					return err
				}
				return nil
			}
			r.work()
			j := r.ends(r.submit(submission(texts(40)...)).ID, jobs.Succeeded, 40, 0, 0)
			if late := j.Finished.Sub(begun) - 5*time.Minute; late > 20*time.Second {
				r.Errorf("%v after it could be done", late)
			}
			if n := r.model.sum(); n > 16*400 {
				r.Errorf("%v: %d calls in 5 min", err, n)
			}
		})
	}
}

// TestOutageEnds: no server for longer than Limits.Outage uses attempts up.
func TestOutageEnds(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.do = func(context.Context, string, int) error {
			return fault.New(fault.Unavailable, "backend_unavailable", "no server")
		}
		r.work()
		j := r.ends(r.submit(submission("a")).ID, jobs.Failed, 0, 0, 3)
		if took := j.Finished.Sub(j.Created); took < 10*time.Minute || took > 13*time.Minute || j.Problem.Code != "backend_unavailable" {
			r.Errorf("after %v: %+v", took, j.Problem)
		}
	})
}

// TestSlowItemIsCut: an item has Limits.Timeout.
func TestSlowItemIsCut(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = time.Hour
		r.work()
		in := submission("a")
		in.Attempts = 1
		j := r.ends(r.submit(in).ID, jobs.Failed, 0, 0, 1)
		if took := j.Finished.Sub(j.Started); took != 30*time.Second || j.Problem.Code != "deadline_exceeded" {
			r.Errorf("after %v: %+v", took, j.Problem)
		}
	})
}

func TestDeadline(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = 3 * time.Second
		r.work()
		in := submission(texts(48)...)
		in.Deadline = 7 * time.Second
		j := r.ends(r.submit(in).ID, jobs.Expired, 32, 0, 0)
		if took := j.Finished.Sub(j.Created); took != 7*time.Second {
			r.Errorf("expired after %v", took)
		}
	})
}

// TestCancelRunning: the calls under way are cancelled at once, and the rest is not run.
func TestCancelRunning(t *testing.T) {
	bubble(t, func(r *rig) {
		ended := make(chan error, 16)
		r.model.do = func(ctx context.Context, text string, _ int) error {
			if text == "item 0" {
				return nil
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
		r.work()
		id := r.submit(submission(texts(100)...)).ID
		synctest.Wait()
		if _, err := r.Cancel(r.Context(), nil, id); err != nil {
			r.Fatal(err)
		}
		j := r.ends(id, jobs.Canceled, 1, 0, 0)
		if took := j.Finished.Sub(j.Created); took != 0 {
			r.Errorf("cancelled after %v", took)
		}
		if n := r.model.sum(); n != 17 {
			r.Errorf("%d items were begun, want 17", n)
		}
		for range 16 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				r.Error(err)
			}
		}
	})
}

// TestCancelElsewhere: another process's cancel reaches the worker by its heartbeat.
func TestCancelElsewhere(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = time.Hour
		r.work()
		id := r.submit(submission("a")).ID
		synctest.Wait()
		other := jobs.New(jobs.Deps{Store: r.store})
		if _, err := other.Cancel(r.Context(), nil, id); err != nil {
			r.Fatal(err)
		}
		j, err := other.Wait(r.Context(), nil, id, time.Hour)
		if err != nil || j.State != jobs.Canceled || j.Finished.Sub(j.Created) > 3*time.Second {
			r.Errorf("%v after %v, %v", j.State, j.Finished.Sub(j.Created), err)
		}
	})
}

// TestShutdownGivesBack: what is done stays, what can end in the grace ends, the rest is given back and costs nothing.
func TestShutdownGivesBack(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.do = func(ctx context.Context, text string, call int) error {
			wait := time.Second
			if text == "item 3" && call == 1 {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		stop := r.work()
		id := r.submit(submission(texts(40)...)).ID
		synctest.Wait()
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 10*time.Second {
			r.Errorf("shutdown took %v, want the grace", took)
		}
		j, err := r.Get(r.Context(), nil, id)
		if err != nil || j.State != jobs.Queued || j.Done != 15 || j.Attempt != 0 {
			r.Fatalf("given back: %+v, %v", j, err)
		}
		r.work()
		r.ends(id, jobs.Succeeded, 40, 0, 0)
		for i, text := range texts(40) {
			if n := r.model.count(text); n != 1 && i != 3 || i == 3 && n != 2 {
				r.Errorf("%s was run %d times", text, n)
			}
		}
	})
}

// TestProgressIsWrittenInTime: every 200 ms or 32 results.
func TestProgressIsWrittenInTime(t *testing.T) {
	bubble(t, func(r *rig) {
		r.model.took = 150 * time.Millisecond
		id := r.submit(submission(texts(1000)...)).ID
		r.work()
		last, at := 0, time.Now()
		for e, err := range r.Events(r.Context(), nil, id, 0) {
			if err != nil {
				r.Fatal(err)
			}
			if gap := time.Since(at); gap > 500*time.Millisecond {
				r.Errorf("no event for %v", gap)
			}
			if at = time.Now(); e.Result != nil {
				if last++; e.ID != last {
					r.Fatalf("event %d after %d", e.ID, last-1)
				}
			} else if e.Job.State != jobs.Succeeded || e.ID != 1000 || last != 1000 {
				r.Errorf("the last event: %d of %s after %d", e.ID, e.Job.State, last)
			}
		}
		if r.model.most != 16 {
			r.Errorf("%d items at a time", r.model.most)
		}
	})
}

// TestShortJobCostsFewCalls: a job of one item is one lease, one blob and one settle.
func TestShortJobCostsFewCalls(t *testing.T) {
	f := &faulty{}
	var mu sync.Mutex
	calls := map[string]int{}
	f.hook = func(call string) {
		mu.Lock()
		defer mu.Unlock()
		calls[call]++
	}
	bubble(t, func(r *rig) {
		for range 10 {
			r.submit(submission("a"))
		}
		stop := r.work()
		time.Sleep(time.Millisecond)
		stop()
		if calls["blob"] != 10 || calls["settle"] != 10 || calls["extend"] != 0 || calls["results"] != 0 || calls["lease"] > 12 {
			r.Errorf("calls %v", calls)
		}
	}, over(f))
}
