package gateway

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
)

// stats counts what /v1/stats shows. Prometheus has the same and more; this is for a page that has no Prometheus.
type stats struct {
	since  time.Time
	models sync.Map // statsKey -> *modelStats
}

// statsKey is a model as one tenant uses it.
type statsKey struct{ tenant, model string }

// modelStats are the counts of one model since the start, for one tenant.
type modelStats struct {
	answers, hits atomic.Int64
}

func newStats(since time.Time) *stats { return &stats{since: since} }

// answered counts one item.
func (s *stats) answered(tenant string, a *pipeline.Answer, hit bool) {
	key := statsKey{tenant, a.Model}
	got, ok := s.models.Load(key)
	if !ok {
		got, _ = s.models.LoadOrStore(key, new(modelStats))
	}
	m := got.(*modelStats)
	m.answers.Add(1)
	if hit {
		m.hits.Add(1)
	}
}

const (
	perOctave = 8 // buckets per doubling: a quantile is at most 9 % off
	octaves   = 27
)

// durations is a histogram from 1 us to 134 s with buckets of constant ratio.
type durations struct {
	buckets [perOctave * octaves]atomic.Int64
}

func (d *durations) add(t time.Duration) {
	i := 0
	if us := float64(t) / float64(time.Microsecond); us > 1 {
		i = min(int(math.Log2(us)*perOctave), len(d.buckets)-1)
	}
	d.buckets[i].Add(1)
}

// quantiles gives milliseconds for shares q between 0 and 1, in rising order: the middle of the bucket, by ratio. NaN never occurs: no samples give zeros.
func (d *durations) quantiles(q ...float64) []float64 {
	var counts [perOctave * octaves]int64
	total := int64(0)
	for i := range d.buckets {
		counts[i] = d.buckets[i].Load()
		total += counts[i]
	}
	out := make([]float64, len(q))
	seen, next := int64(0), 0
	for i := 0; i < len(counts) && next < len(q); i++ {
		seen += counts[i]
		for next < len(q) && seen > 0 && float64(seen) >= q[next]*float64(total) {
			out[next] = math.Round(math.Exp2((float64(i)+0.5)/perOctave)) / 1000
			next++
		}
	}
	return out
}

// total gives how many there were, and their sum in milliseconds: each counts as the middle of its bucket by ratio, which is at most 5 % off and costs an addition nothing.
func (d *durations) total() (count int64, ms float64) {
	for i := range d.buckets {
		n := d.buckets[i].Load()
		count += n
		ms += float64(n) * math.Exp2((float64(i)+0.5)/perOctave) / 1000
	}
	return count, math.Round(ms*1000) / 1000
}

// statsView is the body of /v1/stats.
type statsView struct {
	Version       string           `json:"version" doc:"Of the gateway"`
	Backend       string           `json:"backend" doc:"Who runs the models" example:"embedded"`
	UptimeSeconds float64          `json:"uptime_seconds"`
	Cache         cacheView        `json:"cache" doc:"Over all models"`
	Models        []modelStatsView `json:"models"`
	Backends      []backendView    `json:"backends"`
	Jobs          *jobStatsView    `json:"jobs,omitempty" doc:"Left out where jobs are off, and for callers without the scope admin"`
}

type cacheView struct {
	Hits     int64   `json:"hits" doc:"Items answered without running a model"`
	Misses   int64   `json:"misses"`
	HitRatio float64 `json:"hit_ratio" doc:"0 to 1; 0 before the first item"`
}

type modelStatsView struct {
	Name   string      `json:"name"`
	Ready  bool        `json:"ready"`
	Count  int64       `json:"count" doc:"Items answered since the start"`
	Cache  cacheView   `json:"cache"`
	Stages []stageView `json:"stages" doc:"Of all callers together; empty for callers without the scope admin"`
	Batch  *batchView  `json:"batching,omitempty" doc:"Of all callers together, in this gateway; left out for callers without the scope admin, and for models that are not batched"`
}

type stageView struct {
	Stage string  `json:"stage" example:"preprocess"`
	Count int64   `json:"count" doc:"Items that went through it since the start"`
	Total float64 `json:"total_ms" doc:"Of all of them together, at most 5 % off: two answers give the mean of the time between"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
}

type backendView struct {
	Name  string `json:"name" example:"embedded"`
	Ready bool   `json:"ready" doc:"It answers, and at least one of its models can"`
	// Reason is there where Ready is false.
	Reason string        `json:"reason,omitempty" doc:"Why it is not ready"`
	Calls  *backendCalls `json:"calls,omitempty" doc:"Of a Triton: its calls"`
}

// backendCalls are the calls of one Triton of a pool.
type backendCalls struct {
	Running  int    `json:"running" doc:"Under way"`
	Limit    int    `json:"limit" doc:"The most at a time that the adaptive limits allow; 0 while it is not known"`
	Count    uint64 `json:"count" doc:"Since the start"`
	Failures uint64 `json:"failures" doc:"Failed for reasons of the server or the way to it"`
	Retries  uint64 `json:"retries" doc:"Second tries, after a failure elsewhere"`
	Hedges   uint64 `json:"hedges" doc:"Made beside a slow one"`
	Ejected  uint64 `json:"ejected" doc:"Times that the server was taken out"`
}

func ratio(hits, all int64) cacheView {
	v := cacheView{Hits: hits, Misses: all - hits}
	if all > 0 {
		v.HitRatio = float64(hits) / float64(all)
	}
	return v
}

type statsOutput struct{ Body statsView }

// view gathers the statistics of all models that exist now.
func (s *server) view(ctx context.Context, _ *struct{}) (*statsOutput, error) {
	out := &statsOutput{Body: statsView{Version: s.build.Version, Backend: s.build.Backend, UptimeSeconds: s.now().Sub(s.stats.since).Seconds(), Models: []modelStatsView{}}}
	counts, whole := s.stats.seenBy(ctx)
	var hits, all int64
	ready := false
	for _, m := range s.models.List() {
		if m.Kind == kindRoute { // its models count what they answer
			continue
		}
		v := modelStatsView{Name: m.Name, Ready: m.ready()}
		ready = ready || v.Ready
		got := counts[m.Name]
		v.Count, v.Cache = got.answers, ratio(got.hits, got.answers)
		hits, all = hits+got.hits, all+got.answers
		if v.Stages = []stageView{}; whole {
			v.Stages, v.Batch = s.metrics.stages.view(m.Name), s.metrics.batches.view(m.Name)
		}
		out.Body.Models = append(out.Body.Models, v)
	}
	out.Body.Cache = ratio(hits, all)
	if whole {
		out.Body.Jobs = s.jobStats(ctx)
	}
	if s.metrics.pool != nil && whole {
		out.Body.Backends = poolView(s.metrics.pool)
		return out, nil
	}
	b := backendView{Name: s.build.Backend}
	if !whole && !ready {
		b.Reason = "no model is ready"
	}
	switch err := s.models.Err(); {
	case !whole:
		b.Ready = ready
	case err != nil:
		b.Reason = faultOf(err).Detail
	case len(out.Body.Models) == 0:
		b.Reason = "it has no models"
	case !ready:
		b.Reason = "no model is ready"
	default:
		b.Ready = true
	}
	out.Body.Backends = []backendView{b}
	return out, nil
}

// poolView is the state of every Triton.
func poolView(pool backend.Pool) []backendView {
	list := []backendView{}
	for _, e := range pool.Endpoints() {
		list = append(list, backendView{Name: e.Name, Ready: e.Ready, Reason: e.Reason,
			Calls: &backendCalls{e.Running, e.Limit, e.Calls, e.Failures, e.Retries, e.Hedges, e.Ejected}})
	}
	return list
}

// view gives the quantiles of a model's stages that went well, in the order of the stages.
func (t *stageTimes) view(model string) []stageView {
	t.later.all()
	list := []stageView{}
	m := (*t.models.Load())[model]
	if m == nil {
		return list
	}
	for s := range pipeline.Stage(pipeline.Stages) {
		if q := m.took[s].quantiles(.5, .9, .99); q[0] > 0 {
			count, ms := m.took[s].total()
			list = append(list, stageView{s.String(), count, ms, q[0], q[1], q[2]})
		}
	}
	return list
}
