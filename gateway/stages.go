package gateway

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/telemetry"
	"triton-gateway/internal/fault"
)

// outcomes are the values of the label: ok, or the kind of failure.
var outcomes = [...]string{
	0:                          "ok",
	1 + fault.Internal:         "internal",
	1 + fault.Invalid:          "invalid",
	1 + fault.NotFound:         "not_found",
	1 + fault.TooLarge:         "too_large",
	1 + fault.Unsupported:      "unsupported",
	1 + fault.MethodNotAllowed: "method_not_allowed",
	1 + fault.Conflict:         "conflict",
	1 + fault.Unauthenticated:  "unauthenticated",
	1 + fault.Forbidden:        "forbidden",
	1 + fault.RateLimited:      "rate_limited",
	1 + fault.Busy:             "busy",
	1 + fault.Canceled:         "canceled",
	1 + fault.Timeout:          "timeout",
	1 + fault.Upstream:         "upstream",
	1 + fault.Contract:         "contract",
	1 + fault.Unavailable:      "unavailable",
	1 + fault.Draining:         "draining",
}

// outcomeOf gives the place of an error in outcomes.
func outcomeOf(err error) int {
	if err == nil {
		return 0
	}
	if k := 1 + int(faultOf(err).Kind); k < len(outcomes) {
		return k
	}
	return 1 + int(fault.Internal)
}

// stageTimes counts the stages of all models: for Prometheus, and for /v1/stats.
type stageTimes struct {
	seconds *prometheus.HistogramVec
	later   *later
	mu      sync.Mutex                             // held to add a model
	models  atomic.Pointer[map[string]*modelTimes] // never changed, but replaced: reading it costs no lock and no allocation
}

// modelTimes are the stages of one model. The series of a stage and outcome is there when it has been seen.
type modelTimes struct {
	series [pipeline.Stages][len(outcomes)]atomic.Pointer[prometheus.Observer]
	took   [pipeline.Stages]durations // of those that went well
}

func newStageTimes(l *later) *stageTimes {
	t := &stageTimes{later: l, seconds: prometheus.NewHistogramVec(histogram("gateway_stage_duration_seconds",
		"Time of one stage of one item, by what came of it: ok or a kind of failure. A model that does not exist is the empty text."),
		[]string{"stage", "model", "outcome"})}
	t.models.Store(&map[string]*modelTimes{})
	return t
}

// of gives the times of a model that exists, or of "".
func (t *stageTimes) of(model string) *modelTimes {
	if m := (*t.models.Load())[model]; m != nil {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	had := *t.models.Load()
	if m := had[model]; m != nil {
		return m
	}
	next := maps.Clone(had)
	m := new(modelTimes)
	next[model] = m
	t.models.Store(&next)
	return m
}

// add counts one stage.
func (t *stageTimes) add(m *modelTimes, model string, s pipeline.Stage, outcome int, took time.Duration, trace string) {
	place := &m.series[s][outcome]
	o := place.Load()
	if o == nil {
		made := t.seconds.WithLabelValues(s.String(), model, outcomes[outcome])
		o = &made
		place.Store(o)
	}
	d := duration{in: *o, took: took}
	if outcome == 0 {
		d.also = &m.took[s]
	}
	t.later.seen(d, trace)
}

// watch makes metrics and spans of what the pipeline does.
type watch struct {
	times  *stageTimes
	tracer *telemetry.Tracer // may be nil
}

var _ pipeline.Observer = watch{}

// Begin begins the stage's span.
func (w watch) Begin(ctx context.Context, s pipeline.Stage) context.Context {
	ctx, _ = w.tracer.Start(ctx, s.String(), telemetry.Internal)
	return ctx
}

// End counts the stage and its parts and ends the span.
func (w watch) End(ctx context.Context, e pipeline.Ended) {
	m, trace := w.times.of(e.Model), telemetry.Sampled(ctx)
	w.times.add(m, e.Model, e.Stage, outcomeOf(e.Err), e.Took, trace)
	for _, part := range e.Parts {
		w.times.add(m, e.Model, part.Stage, 0, part.Took, trace)
	}
	span := w.tracer.Current(ctx)
	if !span.Recording() {
		return
	}
	if e.Model != "" {
		span.Set(telemetry.String("gateway.model", e.Model))
	}
	for _, part := range e.Parts {
		span.Set(telemetry.Float("gateway."+part.Stage.String()+".seconds", part.Took.Seconds()))
	}
	span.End(e.Err)
}

// Shared notes on the request's span that its answer is another trace's work.
func (w watch) Shared(ctx context.Context) {
	if span := w.tracer.Current(ctx); span.Recording() {
		span.Event("shared")
	}
}
