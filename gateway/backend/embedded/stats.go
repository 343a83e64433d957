package embedded

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

// counters are what one load has done. A request's figures come in together, so that a reader never sees a part of them.
type counters struct {
	mu      sync.Mutex
	s       backend.Statistics // without Batches
	batches map[uint64]*backend.BatchStatistics
}

// times are the moments of one request.
type times struct{ arrived, began, ready, ran, done time.Time }

// success counts a request of that many items, which was one run of the model. Where it was made of several, each took as long as the run, as Triton counts it, and
// had waited before.
func (c *counters) success(t *times, items int64, r *backend.Request) {
	n, requests := uint64(max(items, 1)), uint64(max(r.Requests, 1))
	each := func(d *backend.Duration, took time.Duration) {
		d.Count += requests
		d.Total += time.Duration(requests) * max(took, 0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.LastInference = t.done
	c.s.Inferences += n
	c.s.Executions++
	each(&c.s.Success, t.done.Sub(t.arrived))
	each(&c.s.Queue, t.began.Sub(t.arrived))
	c.s.Success.Total += r.Waited
	c.s.Queue.Total += r.Waited
	each(&c.s.ComputeInput, t.ready.Sub(t.began))
	each(&c.s.ComputeInfer, t.ran.Sub(t.ready))
	each(&c.s.ComputeOutput, t.done.Sub(t.ran))
	b := c.batches[n]
	if b == nil {
		b = &backend.BatchStatistics{Size: n}
		if c.batches == nil {
			c.batches = map[uint64]*backend.BatchStatistics{}
		}
		c.batches[n] = b
	}
	add(&b.ComputeInput, t.ready.Sub(t.began))
	add(&b.ComputeInfer, t.ran.Sub(t.ready))
	add(&b.ComputeOutput, t.done.Sub(t.ran))
}

// fail counts a request that was refused a turn, given up, or that the model failed on.
func (c *counters) fail(arrived time.Time) {
	took := time.Since(arrived)
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.s.Fail, took)
}

func add(d *backend.Duration, took time.Duration) {
	d.Count++
	d.Total += max(took, 0)
}

func (c *counters) read(model, version string) backend.Statistics {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Model, s.Version = model, version
	for _, b := range c.batches {
		s.Batches = append(s.Batches, *b)
	}
	slices.SortFunc(s.Batches, func(a, b backend.BatchStatistics) int { return cmp.Compare(a.Size, b.Size) })
	return s
}

// Statistics gives the counters of every ready version of a model, or of all models, or of one version; see backend.Teller. They begin
// anew when a version's files are loaded anew. A request that does not fit the model is not counted, as in Triton.
func (e *Engine) Statistics(_ context.Context, model, version string) ([]backend.Statistics, error) {
	var out []backend.Statistics
	all := *e.shown.Load()
	if model != "" && all[model] == nil {
		return nil, unknownModel(model)
	}
	for name, m := range all {
		for i := range m.ready {
			if (model == "" || model == name) && (version == "" || version == m.ready[i].number) {
				out = append(out, m.ready[i].run.stats.read(name, m.ready[i].number))
			}
		}
	}
	if model != "" && len(out) == 0 {
		if version != "" {
			return nil, fault.New(fault.NotFound, "version_not_found", "Request for unknown model: '%s' version %s is not found", model, version)
		}
		return nil, unavailable("model '%s' has no available versions: %s", model, all[model].reason())
	}
	slices.SortFunc(out, func(a, b backend.Statistics) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(len(a.Version), len(b.Version)), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}
