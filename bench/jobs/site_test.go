package jobs

import (
	"slices"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// The fake Triton of TestWorkers: 160 calls a second.
const (
	tritonWorkers = 8
	tritonTime    = 50 * time.Millisecond
)

// TestWorkers prints jobs a second of one, two and three worker processes, which two gateways feed, and counts what every job came to.
func TestWorkers(t *testing.T) {
	n, processes := 20, 2
	if *full {
		n, processes = 1500, 4
	}
	_, fake := load.Fake(t, tritonWorkers, tritonTime, "")
	site := NewSite(t, parts.Redis(t, parts.WithPersistence()).URL(), fake, 2)
	gate := NewGate(load.FakeModel, site.Answer...)
	defer gate.Close()
	t.Logf("the Triton answers %.0f calls/s; a worker process has %d at a time, so %.0f/s at most", tritonWorkers/tritonTime.Seconds(), workers, workers/tritonTime.Seconds())
	for k := range processes {
		site.AddWorker()
		begin := time.Now()
		if r := load.Closed(t.Context(), 8, n, 0, gate.Submit(256)); r.Count(load.Answered) != n || len(r.Samples) != n {
			t.Fatalf("%d of %d accepted: %v", r.Count(load.Answered), len(r.Samples), r.Texts)
		}
		handed := time.Since(begin)
		finish(t, site, n*(k+1))
		t.Logf("%d processes: %d jobs, %.1f jobs/s (handed in at %.0f/s)", k+1, n, float64(n)/since(begin), float64(n)/handed.Seconds())
	}
	once(t, site, gate)
}

// finish waits until so many attempts have succeeded.
func finish(t *testing.T, site *Site, jobs int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(stuck); ; <-tick.C {
		_, done := site.Attempts()
		if done >= jobs {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d jobs are done", done, jobs)
		}
	}
}

// once holds the site to it that each job was worked on once, and is there once, with its result.
func once(t *testing.T, site *Site, gate *Gate) {
	t.Helper()
	ids := gate.IDs()
	if all, succeeded := site.Attempts(); all != len(ids) || succeeded != len(ids) {
		t.Errorf("%d jobs took %d attempts, of which %d succeeded", len(ids), all, succeeded)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != len(ids) {
		t.Errorf("%d jobs have %d ids", len(ids), len(distinct))
	}
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			for n := part; n < len(ids); n += 8 {
				s, err := gate.Look(t.Context(), n, true)
				if err != nil || s.ID != ids[n] || s.State != "succeeded" || s.Attempts != 0 || s.Progress.Done != 1 || s.Progress.Total != 1 || len(s.Result) == 0 {
					t.Errorf("job %d: %+v, %v", n, s, err)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d jobs: each has one result, and took one attempt", len(ids))
}
