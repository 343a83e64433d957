package jobs_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/internal/fault"
)

// over makes the service stand on a faulty way to a store.
func over(f *faulty) func(*jobs.Deps) {
	return func(d *jobs.Deps) {
		f.Store = memory.New(nil)
		d.Store = f
	}
}

// TestTakeover: a worker that is cut off loses the job after its lease; the next one does only what was not written, and the first, when it is back,
// writes nothing.
func TestTakeover(t *testing.T) {
	f := &faulty{}
	bubble(t, func(r *rig) {
		r.model.do = func(_ context.Context, text string, call int) error {
			if text == "item 20" && call == 1 {
				time.Sleep(12 * time.Second) // deaf: it ends after the lease
			}
			return nil
		}
		r.model.took = time.Second
		r.work()
		id := r.submit(submission(texts(40)...)).ID
		time.Sleep(2500 * time.Millisecond) // 32 items are done but one
		f.cut.Store(true)
		cut := time.Now()
		second := jobs.New(jobs.Deps{Store: f.Store, Runner: r.model, Decoder: decoder{}, Problem: problem})
		r.run(second.Work)
		j, err := second.Wait(r.Context(), nil, id, time.Minute)
		if err != nil || j.State != jobs.Succeeded || j.Fence != 2 || j.Attempt != 0 || j.Done != 40 {
			r.Fatalf("taken over: %+v, %v", j, err)
		}
		if late := j.Finished.Sub(cut); late > 13*time.Second {
			r.Errorf("taken over %v after the cut", late)
		}
		f.cut.Store(false)
		time.Sleep(30 * time.Second)
		again, err := r.store.Get(r.Context(), id)
		if err != nil || again.State != jobs.Succeeded || again.Fence != 2 || !again.Finished.Equal(j.Finished) {
			r.Errorf("the first worker has written: %+v", again)
		}
		if n := r.model.count("item 0"); n != 1 {
			r.Errorf("an item that was written was run %d times", n)
		}
	}, over(f))
}

// TestLeaseLostStopsAtOnce: the items of a job that another has are cancelled at the next heartbeat.
func TestLeaseLostStopsAtOnce(t *testing.T) {
	bubble(t, func(r *rig) {
		stopped := make(chan time.Time, 1)
		r.model.do = func(ctx context.Context, _ string, call int) error {
			if call > 1 {
				return nil
			}
			<-ctx.Done()
			stopped <- time.Now()
			return ctx.Err()
		}
		stop := r.work()
		id := r.submit(submission("a")).ID
		synctest.Wait()
		j, _ := r.store.Get(r.Context(), id)
		begun := time.Now()
		if err := r.store.Settle(r.Context(), jobs.Lease{ID: id, Fence: j.Fence}, jobs.Outcome{State: jobs.Queued, RunAt: begun.Add(time.Hour)}, nil); err != nil {
			r.Fatal(err)
		}
		if took := (<-stopped).Sub(begun); took > 3*time.Second {
			r.Errorf("stopped after %v", took)
		}
		stop()
		if j, _ = r.store.Get(r.Context(), id); j.State != jobs.Queued || j.Attempt != 0 || j.Fence != 1 || !j.RunAt.Equal(begun.Add(time.Hour)) {
			r.Errorf("a lost lease was written to: %+v", j)
		}
	})
}

// TestStoreAway: while the store is away for less than a lease, the work goes on; nothing is lost, done twice or burnt.
func TestStoreAway(t *testing.T) {
	f := &faulty{}
	bubble(t, func(r *rig) {
		r.model.took = 4 * time.Second
		r.work()
		id := r.submit(submission(texts(16)...)).ID
		time.Sleep(3500 * time.Millisecond)
		f.cut.Store(true)
		time.Sleep(5 * time.Second)
		f.cut.Store(false)
		j := r.ends(id, jobs.Succeeded, 16, 0, 0)
		if j.Fence != 1 || r.model.sum() != 16 {
			r.Errorf("fence %d, %d runs", j.Fence, r.model.sum())
		}
	}, over(f))
}

// TestBlobsAway: a store that cannot give inputs costs no attempt.
func TestBlobsAway(t *testing.T) {
	f := &faulty{}
	var away sync.Map
	f.hook = func(call string) {
		_, is := away.Load("blob")
		f.cut.Store(is && call == "blob")
	}
	bubble(t, func(r *rig) {
		away.Store("blob", true)
		r.work()
		id := r.submit(submission("a")).ID
		time.Sleep(time.Hour)
		away.Delete("blob")
		r.ends(id, jobs.Succeeded, 1, 0, 0)
	}, over(f))
}

// refusing takes no results that are long.
type refusing struct{ jobs.Store }

func (s refusing) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (bool, error) {
	if len(add) > 0 {
		return false, fault.New(fault.TooLarge, "body_too_large", "a result is too large")
	}
	return s.Store.Extend(ctx, l, ttl, add)
}

func (s refusing) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	if len(add) > 0 {
		return fault.New(fault.TooLarge, "body_too_large", "a result is too large")
	}
	return s.Store.Settle(ctx, l, o, add)
}

// TestRefusedResults: results that a store will never take end the job, in place of an endless round.
func TestRefusedResults(t *testing.T) {
	for _, n := range []int{1, 100} {
		bubble(t, func(r *rig) {
			r.work()
			j := r.ends(r.submit(submission(texts(n)...)).ID, jobs.Failed, 0, 0, 3)
			if j.Problem.Code != "body_too_large" {
				r.Errorf("problem %+v", j.Problem)
			}
		}, func(d *jobs.Deps) { d.Store = refusing{d.Store} })
	}
}

// lossy has lost the bytes of inputs.
type lossy struct{ jobs.Store }

func (lossy) Blob(context.Context, string) ([]byte, error) {
	return nil, fault.New(fault.NotFound, "blob_not_found", "not there")
}

func TestInputLost(t *testing.T) {
	bubble(t, func(r *rig) {
		r.work()
		if j := r.ends(r.submit(submission("a")).ID, jobs.Failed, 0, 0, 1); j.Problem.Code != "input_lost" {
			r.Errorf("problem %+v", j.Problem)
		}
	}, func(d *jobs.Deps) { d.Store = lossy{d.Store} })
}

// termed wants leases of five minutes.
type termed struct {
	jobs.Store
	asked chan time.Duration
}

func (termed) Term() time.Duration { return 5 * time.Minute }

func (s termed) Lease(ctx context.Context, n int, ttl time.Duration) ([]*jobs.Job, error) {
	select {
	case s.asked <- ttl:
	default:
	}
	return s.Store.Lease(ctx, n, ttl)
}

func TestStoreChoosesTerm(t *testing.T) {
	bubble(t, func(r *rig) {
		asked := make(chan time.Duration, 1)
		s := jobs.New(jobs.Deps{Store: termed{r.store, asked}})
		r.run(s.Work)
		if got := <-asked; got != 5*time.Minute {
			r.Errorf("leases of %v", got)
		}
	})
}
