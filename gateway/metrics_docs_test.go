package gateway

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/payload"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/quota"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/committed"
	"triton-gateway/internal/limit"
	"triton-gateway/preprocess/isolate"
)

// fakePool is a pool whose states the test sets.
type fakePool []backend.EndpointState

func (p fakePool) Endpoints() []backend.EndpointState { return p }

// dropped is a log that has lost so many lines.
type dropped uint64

func (d dropped) Dropped() uint64 { return uint64(d) }

// fakeFigures is a store of a few jobs.
type fakeFigures struct{ err error }

func (f fakeFigures) Stats(context.Context) (*jobs.Counts, error) {
	return &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{jobs.Batch: {jobs.Queued: 3, jobs.Failed: 1}}, Oldest: map[jobs.Priority]time.Time{jobs.Batch: time.Unix(100, 0)}, Bytes: 7}, f.err
}

// allReadings are all figures that are read when Prometheus asks.
func allReadings(t *testing.T) []readings {
	c, err := cache.New(cache.Config{Memory: 1 << 20}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	pool := fakePool{{Name: "a:1", Ready: true}}
	counters := newModelCounters(&fakeTeller{list: []backend.Statistics{{Model: "m", Version: "1"}}}, pool, time.Now)
	return []readings{
		collector{c, limit.New(1, 0), limit.NewBytes(1)}.readings,
		jobReadings(fakeFigures{}, time.Now), poolReadings(pool), counters.readings, spanReadings(nil), logReadings(dropped(1)),
		decoderReadings(func() isolate.Stats { return isolate.Stats{Restarts: map[string]uint64{isolate.Crashed: 1}} }),
		loadReadings(func() []pipeline.Load { return []pipeline.Load{{Model: "m"}} }),
		quotaReadings(func() quota.Stats { return quota.Stats{Shared: &quota.SharedStats{}} }),
		tlsReadings(nil, time.Now), newDoors(&Limits{}).readings,
		payloadReadings(func() payload.Figures { return payload.Figures{} }),
		streamReadings(streamsAlone(t)), new(lines).readings, newSwitchCounts().readings, new(canaries).readings,
		shadowReadings(func() []shadow.Stats { return []shadow.Stats{{Pair: shadow.Pair{Route: "r"}}} }),
	}
}

var described = regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)", unit: "[^"]*", constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// metricTable is the list of all metrics as docs/telemetry.md has it.
func metricTable(t *testing.T) string {
	var rows []string
	row := func(name, kind, help string, labels []string) {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, ", "), help))
	}
	m := newMetrics(buildInfo{Version: "v", Commit: "c", Backend: "b"})
	descs := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descs)
	close(descs)
	for d := range descs {
		parts := described.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("unreadable: %s", d)
		}
		if !strings.HasPrefix(parts[1], "gateway_") {
			continue // those of the Go runtime and of the process
		}
		kind := "gauge"
		switch {
		case strings.HasSuffix(parts[1], "_total"):
			kind = "counter"
		case strings.HasSuffix(parts[1], "_seconds"), strings.HasSuffix(parts[1], "_batch_size"):
			kind = "histogram"
		}
		labels := strings.FieldsFunc(regexp.MustCompile(`="[^"]*"`).ReplaceAllString(parts[3]+","+parts[4], ""), func(r rune) bool { return r == ',' })
		row(parts[1], kind, parts[2], labels)
	}
	for _, read := range allReadings(t) {
		for _, f := range read() {
			kind := "gauge"
			if f.grows {
				kind = "counter"
			}
			row(f.name, kind, f.help, f.labels)
		}
	}
	slices.Sort(rows)
	return "| metric | type | labels | meaning |\n|---|---|---|---|\n" + strings.Join(rows, "")
}

// spanTable is the list of the spans.
func spanTable() string {
	var b strings.Builder
	for s := range pipeline.Stage(pipeline.Stages) {
		if s != pipeline.Queue && s != pipeline.Decode {
			fmt.Fprintf(&b, "`%s` ", s)
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// outcomeList is the values of the label outcome.
func outcomeList() string { return "`" + strings.Join(outcomes[:], "` `") + "`\n" }

func TestTelemetryDocs(t *testing.T) {
	for mark, text := range map[string]string{"metrics": metricTable(t), "stages": spanTable(), "outcomes": outcomeList()} {
		committed.CheckPart(t, "../docs/telemetry.md", mark, "go test ./gateway -run TelemetryDocs -update", text, *update)
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	m := newMetrics(buildInfo{Version: "v", Commit: "c", Backend: "b"})
	for _, read := range allReadings(t) {
		m.registry.MustRegister(read)
	}
	m.request(t.Context(), "/livez", "GET", 200, time.Second)
	m.call(t.Context(), "grpc", "ModelInfer", "m", kserve.Code{GRPC: 5}, time.Second)
	m.observer().End(t.Context(), pipeline.Ended{Model: "m", Took: time.Second})
	m.cache.WithLabelValues("memory", "hit").Inc()
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "gateway_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
