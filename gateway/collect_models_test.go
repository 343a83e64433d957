package gateway

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"triton-gateway/gateway/backend"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// fakeTeller keeps statistics that the test sets.
type fakeTeller struct {
	list  []backend.Statistics
	err   error
	asked int
}

func (f *fakeTeller) Statistics(context.Context, string, string) ([]backend.Statistics, error) {
	f.asked++
	return f.list, f.err
}

func worked(version string, n uint64) backend.Statistics {
	d := func(share time.Duration) backend.Duration {
		return backend.Duration{Count: n, Total: time.Duration(n) * share * time.Millisecond}
	}
	return backend.Statistics{Model: "m", Version: version, Inferences: 8 * n, Executions: n, Success: d(10), Queue: d(4), ComputeInput: d(1), ComputeInfer: d(3), ComputeOutput: d(2)}
}

func TestModelCountersOnlyGrow(t *testing.T) {
	clock := time.Unix(1000, 0)
	ask := &fakeTeller{list: []backend.Statistics{worked("1", 100)}}
	pool := fakePool{{Name: "a", Ready: true}, {Name: "b"}}
	m := newModelCounters(ask, pool, func() time.Time { return clock })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(readings(m.readings))
	executions := func(version string) float64 {
		t.Helper()
		clock = clock.Add(2 * statisticsRest)
		got, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got {
			for _, v := range f.GetMetric() {
				if f.GetName() == "gateway_model_executions_total" && v.GetLabel()[1].GetValue() == version {
					return v.GetCounter().GetValue()
				}
			}
		}
		return -1
	}
	step := func(what string, want float64, list ...backend.Statistics) {
		t.Helper()
		ask.list = list
		if got := executions("1"); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	step("what was before the gateway", 0, worked("1", 100))
	step("work", 7, worked("1", 107))
	step("loaded anew on the only server", 10, worked("1", 3))
	pool[1].Ready = true
	step("a server came: its past is not counted", 10, worked("1", 1003))
	step("work of both", 12, worked("1", 1005))
	step("one of two was loaded anew", 12, worked("1", 900))
	step("work after that", 13, worked("1", 901))
	pool[0].Ready = false
	step("a server went", 13, worked("1", 5))
	step("gone", -1)
	step("back, loaded anew", 15, worked("1", 2))
	step("another version came", 15, worked("1", 2), worked("2", 4))
	if got := executions("2"); got != 4 {
		t.Errorf("a new version: %v", got)
	}
	ask.err = errors.New("away")
	step("nobody answers", 15)
	ask.err = nil
	step("again", 16, worked("1", 3))
	want := `
# HELP gateway_model_queue_seconds_total Of it: waiting in the server's queue.
# TYPE gateway_model_queue_seconds_total counter
gateway_model_queue_seconds_total{model="m",version="1"} 0.064
# HELP gateway_model_inferences_total Items inferred: a request of batch 8 is 8.
# TYPE gateway_model_inferences_total counter
gateway_model_inferences_total{model="m",version="1"} 128
# HELP gateway_model_compute_infer_seconds_total Of it: running the model.
# TYPE gateway_model_compute_infer_seconds_total counter
gateway_model_compute_infer_seconds_total{model="m",version="1"} 0.048
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gateway_model_queue_seconds_total", "gateway_model_inferences_total", "gateway_model_compute_infer_seconds_total"); err != nil {
		t.Error(err)
	}
}

func TestStatisticsAreNotAskedForTooOften(t *testing.T) {
	clock := time.Unix(1000, 0)
	ask := &fakeTeller{}
	m := newModelCounters(ask, nil, func() time.Time { return clock })
	look := func(after time.Duration, want int) {
		t.Helper()
		clock = clock.Add(after)
		m.look(t.Context())
		if ask.asked != want {
			t.Errorf("asked %d times, want %d", ask.asked, want)
		}
	}
	look(0, 1)
	look(statisticsAge/2, 1)
	look(statisticsAge, 2)
	ask.err = errors.New("away")
	look(statisticsAge, 3)
	look(statisticsRest/2, 3)
	look(statisticsRest, 4)
}

func TestTheFirstLookIsTriedUntilTheServerIsThere(t *testing.T) {
	ask := &fakeTeller{err: errors.New("away")}
	m := newModelCounters(ask, nil, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.begin(ctx) // ends with its context
	if ask.asked != 1 || m.seen {
		t.Errorf("%d, %v", ask.asked, m.seen)
	}
}

func TestModelVersionsThatAreGoneAreForgotten(t *testing.T) {
	m := newModelCounters(&fakeTeller{}, nil, time.Now)
	for _, model := range []string{"a", "b"} {
		var list []backend.Statistics
		for i := range mostCounted {
			list = append(list, backend.Statistics{Model: model, Version: time.Duration(i).String()})
		}
		m.count(list, true)
	}
	if n := len(m.models); n > mostCounted {
		t.Errorf("%d are kept", n)
	}
}

func TestPoolIsShown(t *testing.T) {
	r := newRig(t)
	r.metrics.pool = fakePool{{Name: "a:8001", Ready: true, Running: 2, Limit: 9, Calls: 5, Failures: 1, Retries: 1, Hedges: 3, Ejected: 4}, {Name: "b:8001", Reason: "no answer"}}
	_, body := r.do(t, "GET", "/v1/stats", "", "")
	got := decode[statsView](t, body).Backends
	if len(got) != 2 || got[0].Name != "a:8001" || !got[0].Ready || *got[0].Calls != (backendCalls{2, 9, 5, 1, 1, 3, 4}) || got[1].Ready || got[1].Reason != "no answer" {
		t.Errorf("%s", body)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(poolReadings(r.metrics.pool))
	want := `
# HELP gateway_backend_up 1 while calls are sent to the server, 0 while it is left alone.
# TYPE gateway_backend_up gauge
gateway_backend_up{endpoint="a:8001"} 1
gateway_backend_up{endpoint="b:8001"} 0
# HELP gateway_backend_ejections_total Times that the server was taken out.
# TYPE gateway_backend_ejections_total counter
gateway_backend_ejections_total{endpoint="a:8001"} 4
gateway_backend_ejections_total{endpoint="b:8001"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gateway_backend_up", "gateway_backend_ejections_total"); err != nil {
		t.Error(err)
	}
}
