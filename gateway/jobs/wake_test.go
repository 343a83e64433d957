package jobs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
)

// waking is a store in memory that wakes other processes, and counts how it is asked.
type waking struct {
	*memory.Store
	hints  chan struct{}
	closed chan struct{}
	leases atomic.Int32
	looks  atomic.Int32
	gets   atomic.Int32
}

func (w *waking) Wake(ctx context.Context, timeout time.Duration) bool {
	select {
	case <-w.hints:
		return true
	case <-w.closed:
	case <-time.After(timeout):
	case <-ctx.Done():
	}
	return false
}

func (w *waking) Create(ctx context.Context, s *jobs.Spec) (*jobs.Job, error) {
	j, err := w.Store.Create(ctx, s)
	w.hint()
	return j, err
}

func (w *waking) Take(ctx context.Context, s *jobs.Spec, blobs []jobs.Blob) (*jobs.Job, int, error) {
	j, place, err := w.Store.Take(ctx, s, blobs)
	w.hint()
	return j, place, err
}

func (w *waking) hint() {
	select {
	case w.hints <- struct{}{}:
	default:
	}
}

func (w *waking) Lease(ctx context.Context, n int, ttl time.Duration) ([]*jobs.Job, error) {
	w.leases.Add(1)
	return w.Store.Lease(ctx, n, ttl)
}

func (w *waking) Get(ctx context.Context, id string) (*jobs.Job, error) {
	w.gets.Add(1)
	return w.Store.Get(ctx, id)
}

func (w *waking) Look(ctx context.Context, id string) (*jobs.Job, error) {
	w.looks.Add(1)
	return w.Store.Look(ctx, id)
}

// over makes the service stand on it. The channels have to be of the test's bubble.
func (w *waking) over(d *jobs.Deps) {
	w.Store, w.hints, w.closed = memory.New(nil), make(chan struct{}, 1), make(chan struct{})
	d.Store = w
}

// TestIdleSleeps: a worker with nothing to do asks rarely, and starts what another process hands in at once; what a dead one has left comes within the
// promised time.
func TestIdleSleeps(t *testing.T) {
	w := &waking{}
	bubble(t, func(r *rig) {
		r.work()
		time.Sleep(time.Minute)
		asked := w.leases.Load()
		time.Sleep(time.Hour)
		if n := w.leases.Load() - asked; n > 6100 {
			r.Errorf("asked %d times in an idle hour", n)
		}
		other := jobs.New(jobs.Deps{Store: w})
		for range 20 {
			time.Sleep(1234567 * time.Microsecond)
			j, _, err := other.Submit(r.Context(), submission("a"))
			if err != nil {
				r.Fatal(err)
			}
			synctest.Wait()
			if j = r.ends(j.ID, jobs.Succeeded, 1, 0, 0); j.Finished.Sub(j.Created) >= time.Millisecond {
				r.Errorf("begun %v after it was handed in", j.Started.Sub(j.Created))
			}
		}
		// A worker elsewhere takes a job the moment it comes, and dies.
		spec := &jobs.Spec{ID: "x", Model: "shapes", Priority: jobs.Batch, Created: time.Now(), RunAt: time.Now(), ResultTTL: time.Hour, Attempts: 3}
		j, _, err := other.Submit(r.Context(), submission("b"))
		if err != nil {
			r.Fatal(err)
		}
		r.ends(j.ID, jobs.Succeeded, 1, 0, 0)
		spec.Items = j.Items
		if _, err := w.Store.Create(r.Context(), spec); err != nil {
			r.Fatal(err)
		}
		if list, err := w.Store.Lease(r.Context(), 1, 9*time.Second); err != nil || len(list) != 1 {
			r.Fatal(list, err)
		}
		died := time.Now()
		if late := r.ends("x", jobs.Succeeded, 1, 0, 0).Finished.Sub(died); late > 10*time.Second {
			r.Errorf("redelivered after %v", late)
		}
	}, w.over)
}

// TestWakeOfClosedStore: a Wake that does not wait is not called in a busy loop.
func TestWakeOfClosedStore(t *testing.T) {
	w := &waking{}
	bubble(t, func(r *rig) {
		close(w.closed)
		stop := r.work()
		time.Sleep(time.Minute) // would not pass otherwise
		stop()
	}, w.over)
}

// TestLooksAreLight: whoever waits, watches or cancels reads no items.
func TestLooksAreLight(t *testing.T) {
	w := &waking{}
	bubble(t, func(r *rig) {
		tenant := "t"
		r.model.took = 10 * time.Second
		r.work()
		id := r.submit(submission(texts(100)...)).ID
		other := jobs.New(jobs.Deps{Store: w})
		before := w.gets.Load()
		for _, err := range other.Events(r.Context(), &tenant, id, 0) {
			if err != nil {
				r.Fatal(err)
			}
		}
		j, err := other.Wait(r.Context(), &tenant, id, time.Minute)
		if err != nil || j.Total != 100 || len(j.Items) != 0 || j.State != jobs.Succeeded {
			r.Errorf("%+v, %v", j, err)
		}
		if list, err := other.Results(r.Context(), &tenant, id); err != nil || len(list) != 100 {
			r.Error(len(list), err)
		}
		if n := w.gets.Load() - before; n != 0 || w.looks.Load() < 50 {
			r.Errorf("the whole job was read %d times, %d looks", n, w.looks.Load())
		}
		if j, err := other.Get(r.Context(), &tenant, id); err != nil || len(j.Items) != 100 {
			r.Errorf("%+v, %v", j, err)
		}
	}, w.over)
}

// TestBatchesAreFilled: of a model that takes large batches, two of them are at work; of others as many items as ever.
func TestBatchesAreFilled(t *testing.T) {
	for _, c := range []struct{ batch, want int }{{0, 16}, {1, 16}, {8, 16}, {32, 64}, {100_000, 256}} {
		bubble(t, func(r *rig) {
			r.model.took = time.Second
			id := r.submit(submission(texts(600)...)).ID
			r.work()
			r.ends(id, jobs.Succeeded, 600, 0, 0)
			if r.model.most != c.want {
				r.Errorf("max_batch_size %d: %d items at a time, want %d", c.batch, r.model.most, c.want)
			}
		}, func(d *jobs.Deps) {
			d.Batch = func(model, version string) int {
				if model != "shapes" || version != "" {
					t.Errorf("asked of %s, %q", model, version)
				}
				return c.batch
			}
		})
	}
}
