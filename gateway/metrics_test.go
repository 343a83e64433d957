package gateway

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
)

// teller tells an observer of the stages that a runner's answer names, as the pipeline does.
type teller struct {
	runner
	to pipeline.Observer
}

func (w teller) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	a, err := w.runner.Run(ctx, r)
	if err != nil {
		w.to.End(w.to.Begin(ctx, pipeline.Accept), pipeline.Ended{Stage: pipeline.Accept, Took: time.Microsecond, Err: err})
		return a, err
	}
	for _, t := range a.Timings {
		for s := range pipeline.Stage(pipeline.Stages) {
			if s.String() == t.Stage {
				w.to.End(w.to.Begin(ctx, s), pipeline.Ended{Stage: s, Model: a.Model, Took: t.Duration})
			}
		}
	}
	return a, nil
}

// tell has the stages of the fake runner counted.
func (r *rig) tell() { r.server.runner = teller{r.server.runner, r.metrics.observer()} }

func TestMetrics(t *testing.T) {
	r := newRig(t)
	r.tell()
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	r.do(t, "POST", "/v1/models/shapes/infer?cache=no-store", "image/png", string(picture(1)))
	for i := range 20 {
		r.do(t, "POST", fmt.Sprintf("/v1/models/unknown-%d/infer", i), "image/png", "x")
		r.do(t, fmt.Sprintf("M%d", i), fmt.Sprintf("/nowhere/%d", i), "", "")
	}
	_, body := r.do(t, "GET", "/metrics", "", "")
	for _, want := range []string{
		`gateway_http_request_duration_seconds_count{code="200",method="POST",route="/v1/models/:model/infer"} 3`,
		`gateway_http_request_duration_seconds_count{code="404",method="POST",route="/v1/models/:model/infer"} 20`,
		`gateway_http_request_duration_seconds_count{code="404",method="other",route="other"} 20`,
		`gateway_stage_duration_seconds_count{model="shapes",outcome="ok",stage="decode"} 2`,
		`gateway_cache_requests_total{result="hit",tier="memory"} 1`,
		`gateway_cache_requests_total{result="miss",tier="none"} 1`,
		`gateway_cache_requests_total{result="bypass",tier="none"} 1`,
		`gateway_build_info{backend="embedded",commit="abc",version="1.2.3"} 1`,
		`gateway_http_requests_in_flight 1`,
		`go_goroutines`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(body, "unknown-") || strings.Contains(body, "nowhere") {
		t.Error("a label holds what a client made up")
	}
}

func TestQuantiles(t *testing.T) {
	var d durations
	if q := d.quantiles(.5, .99); q[0] != 0 || q[1] != 0 {
		t.Error(q)
	}
	if count, ms := d.total(); count != 0 || ms != 0 {
		t.Error(count, ms)
	}
	for i := 1; i <= 1000; i++ {
		d.add(time.Duration(i) * time.Millisecond)
	}
	for i, q := range d.quantiles(.5, .9, .99) {
		want := []float64{500, 900, 990}[i]
		if math.Abs(q-want) > .09*want {
			t.Errorf("quantile %d is %v, want %v", i, q, want)
		}
	}
	if count, ms := d.total(); count != 1000 || math.Abs(ms-500500) > .05*500500 {
		t.Errorf("%d took %v ms, want 1000 and 500500", count, ms)
	}
	for _, extreme := range []time.Duration{-time.Second, 0, time.Hour, math.MaxInt64} {
		d.add(extreme)
	}
}

func TestStatsOfManyAtOnce(t *testing.T) {
	s := newStats(time.Now())
	done := make(chan struct{})
	for range 4 {
		go func() {
			for i := range 500 {
				s.answered("", &pipeline.Answer{Model: "m", Timings: []pipeline.Timing{{Stage: "infer", Duration: time.Millisecond}}}, i%2 == 0)
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	got, _ := s.models.Load(statsKey{"", "m"})
	if m := got.(*modelStats); m.answers.Load() != 2000 || m.hits.Load() != 1000 {
		t.Error(m.answers.Load(), m.hits.Load())
	}
}
