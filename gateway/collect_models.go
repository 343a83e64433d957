package gateway

import (
	"context"
	"strings"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/pause"
)

const (
	statisticsAge  = time.Second            // what is younger is not asked for again
	statisticsRest = 5 * time.Second        // after a failure
	statisticsWait = 500 * time.Millisecond // the longest that a scrape waits for the models' statistics
	mostCounted    = 4096                   // model versions that are remembered
)

// modelCounters turns the backend's own statistics, which start anew with every load of a model, into counters that only grow. They begin
// with the gateway: what a Triton had done before is left out.
//
// A pool's statistics are sums over its servers. Where a server has come or gone between two looks, or the sum has fallen, the difference
// says nothing; it is left out, so that the counters rather miss some work than make some up.
type modelCounters struct {
	ask  backend.Teller
	pool backend.Pool // nil where the backend is one server
	now  func() time.Time

	mu      sync.Mutex
	next    time.Time // not to be asked before
	servers string    // those that were in service at the last look
	seen    bool      // there was a look
	models  map[modelVersion]*modelCounter
}

type modelVersion struct{ model, version string }

type modelCounter struct {
	last    backend.Statistics
	total   modelWork
	present bool // at the last look
}

// modelWork is what a model has done.
type modelWork struct {
	requests, failures, inferences, executions   uint64
	queue, input, infer, output, success, failed time.Duration
}

func newModelCounters(ask backend.Teller, pool backend.Pool, now func() time.Time) *modelCounters {
	return &modelCounters{ask: ask, pool: pool, now: now, models: map[modelVersion]*modelCounter{}}
}

// begin looks for the first time, so that what happens from now on is counted, and tries again until it works or ctx ends.
func (m *modelCounters) begin(ctx context.Context) {
	for !m.look(ctx) {
		if !pause.For(ctx, statisticsRest) {
			return
		}
	}
}

// look asks for the statistics, unless that was done just now. It reports whether they have been seen.
func (m *modelCounters) look(ctx context.Context) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Before(m.next) {
		return m.seen
	}
	ctx, cancel := context.WithTimeout(ctx, statisticsWait)
	defer cancel()
	before := m.inService()
	list, err := m.ask.Statistics(ctx, "", "")
	if err != nil {
		m.next = now.Add(statisticsRest)
		return m.seen
	}
	m.next = now.Add(statisticsAge)
	after := m.inService()
	m.count(list, m.seen && before == after && after == m.servers)
	m.servers, m.seen = after, true
	if before != after {
		m.servers = "" // of neither
	}
	return true
}

// inService names the servers that are asked.
func (m *modelCounters) inService() string {
	if m.pool == nil {
		return ""
	}
	var b strings.Builder
	for _, e := range m.pool.Endpoints() {
		if e.Ready {
			b.WriteString(e.Name)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// count takes a look's statistics. comparable says that they are of the same servers as the last ones.
func (m *modelCounters) count(list []backend.Statistics, comparable bool) {
	for _, c := range m.models {
		c.present = false
	}
	for _, s := range list {
		key := modelVersion{s.Model, s.Version}
		c := m.models[key]
		if c == nil {
			if len(m.models) >= mostCounted {
				m.forget()
			}
			c = new(modelCounter)
			m.models[key] = c
		}
		last, now := workOf(&c.last), workOf(&s)
		switch {
		case !comparable:
		case now.atLeast(last):
			c.total.add(now, last)
		case m.single():
			c.total.add(now, modelWork{}) // loaded anew
		}
		c.last, c.present = s, true
	}
}

// single reports whether the statistics are those of one server.
func (m *modelCounters) single() bool { return m.pool == nil || strings.Count(m.servers, "\n") <= 1 }

// forget drops the versions that are gone.
func (m *modelCounters) forget() {
	for key, c := range m.models {
		if !c.present {
			delete(m.models, key)
		}
	}
}

func workOf(s *backend.Statistics) modelWork {
	return modelWork{s.Success.Count, s.Fail.Count, s.Inferences, s.Executions,
		s.Queue.Total, s.ComputeInput.Total, s.ComputeInfer.Total, s.ComputeOutput.Total, s.Success.Total, s.Fail.Total}
}

func (w modelWork) atLeast(o modelWork) bool {
	return w.requests >= o.requests && w.failures >= o.failures && w.inferences >= o.inferences && w.executions >= o.executions &&
		w.queue >= o.queue && w.input >= o.input && w.infer >= o.infer && w.output >= o.output && w.success >= o.success && w.failed >= o.failed
}

// add adds what lies between two looks.
func (w *modelWork) add(now, last modelWork) {
	w.requests += now.requests - last.requests
	w.failures += now.failures - last.failures
	w.inferences += now.inferences - last.inferences
	w.executions += now.executions - last.executions
	w.queue += now.queue - last.queue
	w.input += now.input - last.input
	w.infer += now.infer - last.infer
	w.output += now.output - last.output
	w.success += now.success - last.success
	w.failed += now.failed - last.failed
}

// readings are the counters of the models that were there at the last look.
func (m *modelCounters) readings() []reading {
	m.look(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	by := func(value func(*modelWork) float64) (list []labelled) {
		for key, c := range m.models {
			if c.present {
				list = append(list, labelled{value(&c.total), []string{key.model, key.version}})
			}
		}
		return list
	}
	labels := []string{"model", "version"}
	return []reading{
		{"gateway_model_requests_total", "Requests that the model's server answered.", labels, true, by(func(w *modelWork) float64 { return float64(w.requests) })},
		{"gateway_model_failures_total", "Requests that failed in the model's server.", labels, true, by(func(w *modelWork) float64 { return float64(w.failures) })},
		{"gateway_model_inferences_total", "Items inferred: a request of batch 8 is 8.", labels, true, by(func(w *modelWork) float64 { return float64(w.inferences) })},
		{"gateway_model_executions_total", "Runs of the model, one for each batch that its server made.", labels, true, by(func(w *modelWork) float64 { return float64(w.executions) })},
		{"gateway_model_request_seconds_total", "Time of the answered requests inside the model's server.", labels, true, by(func(w *modelWork) float64 { return w.success.Seconds() })},
		{"gateway_model_queue_seconds_total", "Of it: waiting in the server's queue.", labels, true, by(func(w *modelWork) float64 { return w.queue.Seconds() })},
		{"gateway_model_compute_input_seconds_total", "Of it: preparing the inputs.", labels, true, by(func(w *modelWork) float64 { return w.input.Seconds() })},
		{"gateway_model_compute_infer_seconds_total", "Of it: running the model.", labels, true, by(func(w *modelWork) float64 { return w.infer.Seconds() })},
		{"gateway_model_compute_output_seconds_total", "Of it: taking the outputs.", labels, true, by(func(w *modelWork) float64 { return w.output.Seconds() })},
	}
}
