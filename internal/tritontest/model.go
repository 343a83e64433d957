package tritontest

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

// model is one version of one model. Its counters behave like Triton's: zero at each load, and only growing.
type model struct {
	name, version string
	run           Func
	config        *tritonpb.ModelConfig
	state, reason string
	calls         int // over all loads, successful or not
	stats         *tritonpb.ModelStatistics
	stream        StreamFunc // of a decoupled model, which has no run
	finalOnLast   bool
	params        map[string]any // of each response
	workers       *workers       // nil: any number
}

// ModelOption changes a model.
type ModelOption func(*model)

// Version serves the model under another number than 1.
func Version(number string) ModelOption { return func(m *model) { m.version = number } }

// Config gives the model's config, as ModelConfig answers it.
func Config(c *tritonpb.ModelConfig) ModelOption {
	return func(m *model) { m.config = proto.CloneOf(c) }
}

// Params are parameters of every response: bool, int64, uint64, float64 or string.
func Params(p map[string]any) ModelOption { return func(m *model) { m.params = p } }

// Model adds a model, or puts another one under the name and version of one that is there, which is a reload.
func (s *Server) Model(name string, run Func, options ...ModelOption) {
	m := &model{name: name, version: "1", run: run, state: "READY", config: &tritonpb.ModelConfig{Name: name, Backend: "fake"}}
	for _, option := range options {
		option(m)
	}
	m.load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if had := s.models[name+"/"+m.version]; had != nil {
		m.calls = had.calls
	}
	s.models[name+"/"+m.version] = m
}

func (m *model) load() {
	m.stats = &tritonpb.ModelStatistics{Name: m.name, Version: m.version, InferenceStats: &tritonpb.InferStatistics{
		Success: &tritonpb.StatisticDuration{}, Fail: &tritonpb.StatisticDuration{}, Queue: &tritonpb.StatisticDuration{},
		ComputeInput: &tritonpb.StatisticDuration{}, ComputeInfer: &tritonpb.StatisticDuration{}, ComputeOutput: &tritonpb.StatisticDuration{},
		CacheHit: &tritonpb.StatisticDuration{}, CacheMiss: &tritonpb.StatisticDuration{}}}
}

// Reload loads every version of a model anew, without a sign but the counters.
func (s *Server) Reload(name string) {
	s.each(name, (*model).load)
}

// SetState makes a model READY, LOADING, UNLOADING or UNAVAILABLE, with a reason.
func (s *Server) SetState(name, state, reason string) {
	s.each(name, func(m *model) { m.state, m.reason = state, reason })
}

// SetConfig gives a model another config, which is a reload.
func (s *Server) SetConfig(name string, c *tritonpb.ModelConfig) {
	s.each(name, func(m *model) { m.config = proto.CloneOf(c); m.load() })
}

// Calls counts the inferences that named the model, by ModelInfer or on a stream, whatever came of them.
func (s *Server) Calls(name string) int {
	calls := 0
	s.each(name, func(m *model) { calls += m.calls })
	return calls
}

// Foreign counts n successful calls as if another client had made them.
func (s *Server) Foreign(name string, n int) {
	s.each(name, func(m *model) {
		for range n {
			count(m.stats, true, time.Millisecond+time.Duration(rand.IntN(1000)))
		}
	})
}

func (s *Server) each(name string, do func(*model)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.models {
		if m.name == name {
			do(m)
		}
	}
}

// count does what Triton's statistics do. The caller holds the server's lock.
func count(stats *tritonpb.ModelStatistics, ok bool, took time.Duration) {
	i := stats.InferenceStats
	add := func(d *tritonpb.StatisticDuration, part time.Duration) {
		d.Count++
		d.Ns += uint64(max(part, 1))
	}
	if !ok {
		add(i.Fail, took)
		return
	}
	add(i.Success, took)
	add(i.Queue, took/10)
	add(i.ComputeInput, took/10)
	add(i.ComputeInfer, took/2)
	add(i.ComputeOutput, took/10)
	stats.InferenceCount++
	stats.ExecutionCount++
	stats.LastInference = uint64(time.Now().UnixMilli())
}
