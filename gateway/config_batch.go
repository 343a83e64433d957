package gateway

import (
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/batch"
	"triton-gateway/gateway/catalog"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// Batching says how calls of one model that would wait for each other are put together.
type Batching struct {
	Size  int           `yaml:"size" json:"size,omitempty" env:"SIZE" jsonschema_description:"Items that go together at most, where the model's task.yaml does not say; never more than its max_batch_size. 1: models are batched only where their task.yaml asks for it. Default 32."`
	Bound time.Duration `yaml:"bound" json:"bound,omitempty" env:"BOUND" jsonschema:"type=string" jsonschema_description:"How long a call waits for the one before at most, until it goes beside it. Default 50ms."`
}

func defaultBatching() Batching { return Batching{Size: 32, Bound: 50 * time.Millisecond} }

// check is the section's part of Config.Validate.
func (b *Batching) check() (faults []error) {
	if b.Size < 1 || b.Size > task.MostBatched {
		faults = append(faults, bad("batching.size: must be 1 to %d", task.MostBatched))
	}
	if b.Bound <= 0 || b.Bound > task.LongestBound {
		faults = append(faults, bad("batching.bound: must be above 0s, and at most %v; batching.size: 1 turns batching off", task.LongestBound))
	}
	return faults
}

// batched wraps the backend so that calls are put together where batchRule says so.
func (g *Gateway) batched(inner batch.Inner, models *catalog.Catalog, counts *metrics) backend.Backend {
	c := &g.config
	return batch.New(inner, batch.Options{
		Rule: func(model, version string) batch.Rule {
			m, err := models.Lookup(model)
			if err != nil {
				return batch.Rule{} // the backend says what is wrong
			}
			return c.batchRule(m, version)
		},
		Observe: counts.batches.observe, Off: counts.batches.turnedOff, Log: g.log, Priorities: c.under(&g.lines.batch),
	})
}

// batchRule says how one version of a model is batched. The embedded engine batches every model that takes batches, unless told otherwise; in front of a Triton, whose
// own batcher knows more, a model's task.yaml has to ask for it, and the model must have no batcher there.
func (c *Config) batchRule(m *catalog.Model, version string) batch.Rule {
	if m.Config == nil || m.Config.MaxBatchSize < 2 || m.Config.Decoupled || m.Config.Batcher == modelconfig.SequenceBatching {
		return batch.Rule{}
	}
	own := task.Batching{}
	if m.Spec != nil {
		own = m.Spec.Batching
	}
	tritons := len(c.Triton.Endpoints) > 0
	if own.Off || tritons && (own.Size == 0 || m.Config.Batcher != "") {
		return batch.Rule{}
	}
	for i := range m.Config.Inputs {
		if m.Config.Inputs[i].ShapeTensor || m.Config.Inputs[i].NonLinear {
			return batch.Rule{} // not made of items
		}
	}
	rule := batch.Rule{Size: c.Batching.Size, Bound: c.Batching.Bound, Inexact: own.Inexact}
	if own.Size > 0 {
		rule.Size = own.Size
	}
	if own.Bound > 0 {
		rule.Bound = own.Bound
	}
	rule.Size = min(rule.Size, m.Config.MaxBatchSize)
	rule.Parallel = max(m.Config.Instances, 1)
	if tritons {
		rule.Load = loadOf(m, version)
	} else {
		rule.Parallel = c.Embedded.beside(rule.Parallel, m.Config.Parameters["intra_op_thread_count"])
	}
	return rule
}

// beside is how many of a model's instances can run at one time; asked is how many threads each uses, as the model's config says it.
func (e *Embedded) beside(instances int, asked string) int {
	threads, each := e.Threads, 1
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if asked != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(asked)); err == nil && n >= 0 {
			each = n
		}
		if each == 0 {
			each = math.MaxInt
		}
	}
	return max(1, min(instances, threads/min(each, threads)))
}

// loadOf is the load of a version that the catalog has seen last; "" where there is none.
func loadOf(m *catalog.Model, version string) string {
	for i := range m.Versions {
		if m.Versions[i].Number == version {
			return m.Versions[i].Epoch
		}
	}
	return ""
}
