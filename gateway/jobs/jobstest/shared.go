package jobstest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/jobs"
)

// reopened: what a store has taken in is there when it is opened again.
func reopened(r *rig) {
	waits := r.add(2)
	r.at(jobs.Realtime, r.now(), time.Hour)
	_, l := r.one(waits.ID)
	_, err := r.Extend(r.ctx, l, r.place.Lease, []jobs.Result{good(1, `1`)})
	r.must(err)
	r.must(r.Close())
	r.Store = r.place.Open(r.T)
	r.wants(waits.ID, jobs.Running, 1, 0, 0)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(0, `0`)}))
	r.has(waits.ID, 0, 10, good(1, `1`), good(0, `0`))
	r.readable(waits.Items[1].Blob, "item 1", true)
}

// twoStores: two processes with four workers each share out jobs. No job is held by two at a time, each is answered once, and those that are given back
// come again.
func twoStores(r *rig) {
	stores := []jobs.Store{r.Store, r.place.Open(r.T)}
	held := map[string]*atomic.Int32{}
	for i := range r.place.Many {
		held[r.add(1, func(s *jobs.Spec) { s.Tenant = fmt.Sprint(i % 3) }).ID] = new(atomic.Int32)
	}
	var (
		wait      sync.WaitGroup
		done      atomic.Int64
		end       = time.Now().Add(90 * time.Second)
		ttl       = max(r.place.Lease, time.Minute) // none ends here
		complaint = make(chan error, 8)
	)
	work := func(store jobs.Store, worker int) error {
		for n := 0; done.Load() < int64(r.place.Many); n++ {
			if time.Now().After(end) {
				return errors.New("not done in time")
			}
			list, err := store.Lease(r.ctx, 1+(worker+n)%5, ttl)
			if err != nil {
				return err
			}
			for _, j := range list {
				if held[j.ID].Add(1) != 1 {
					return fmt.Errorf("job %s is held twice", j.ID)
				}
			}
			for i, j := range list {
				l, o := jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}
				if j.Fence == 1 && i == 1 {
					o.State = jobs.Queued
				}
				if held[j.ID].Add(-1) != 0 {
					return fmt.Errorf("job %s was taken by another meanwhile", j.ID)
				}
				if err := store.Settle(r.ctx, l, o, []jobs.Result{good(0, fmt.Sprint(worker))}); err != nil {
					return err
				}
				if o.State.Final() {
					done.Add(1)
				}
			}
		}
		return nil
	}
	for worker := range 8 {
		wait.Go(func() {
			if err := work(stores[worker%2], worker); err != nil {
				complaint <- fmt.Errorf("worker %d: %w", worker, err)
			}
		})
	}
	wait.Wait()
	close(complaint)
	for err := range complaint {
		r.Error(err)
	}
	if done.Load() != int64(r.place.Many) {
		r.Errorf("%d jobs were done, want %d", done.Load(), r.place.Many)
	}
	for id := range held {
		r.wants(id, jobs.Succeeded, 1, 0, 0)
	}
	r.none()
}
