package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/batch"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/parts"
	"triton-gateway/modelconfig"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/tensor"
)

// press is a backend with one model whose cost is by the call: calls wait until the press is let down, then all that are there are answered. It gives each row back.
type press struct {
	batch.Inner
	config  *modelconfig.Config
	batcher *batch.Backend

	mu    sync.Mutex
	calls []int64       // rows of each
	down  chan struct{} // closed: calls are answered
}

func (p *press) Index(context.Context) ([]backend.ModelStatus, error) {
	return []backend.ModelStatus{{Name: "press", Version: "1", State: backend.Ready, Epoch: "a"}}, nil
}

func (p *press) Config(context.Context, string) (*modelconfig.Config, error) { return p.config, nil }
func (p *press) Full(context.Context, string, string) error                  { return nil }

func (p *press) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	in := r.Inputs[0]
	p.mu.Lock()
	p.calls = append(p.calls, in.Shape[0])
	down := p.down
	p.mu.Unlock()
	select {
	case <-down:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &backend.Response{Version: "1", Epoch: "a", Outputs: []tensor.Tensor{{Name: "value", DType: tensor.FP32, Shape: []int64{in.Shape[0], 1}, Data: append([]byte{}, in.Data...)}}}, nil
}

func (p *press) lift() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.calls = make(chan struct{}), nil
}

// under is how many rows the calls have that the press was given.
func (p *press) under() (n int64) {
	for _, rows := range p.counted() {
		n += rows
	}
	return n
}

func (p *press) counted() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64{}, p.calls...)
}

// pressed is a server whose whole way to the press is real.
func pressed(t *testing.T, taskYAML string) (*rig, *press) {
	t.Helper()
	config, err := modelconfig.Parse("press", []byte(`max_batch_size: 64
		input [{name: "input" data_type: TYPE_FP32 dims: [1]}] output [{name: "value" data_type: TYPE_FP32 dims: [1]}]`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "press"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "press", "task.yaml"), []byte("task: tabular-regression\ninput: {columns: [x]}\n"+taskYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &press{config: config}
	models := catalog.New(p, catalog.Options{Repository: dir, Log: quietLog()})
	t.Cleanup(func() { _ = models.Close() })
	store, err := cache.New(cache.Config{Memory: 1 << 20, FlightTimeout: time.Minute}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := newRig(t, func(d *serverDeps) {
		g := &Gateway{config: DefaultConfig(), log: quietLog()}
		b := g.batched(p, models, d.Metrics)
		p.batcher = b.(*batch.Backend)
		cpu := limit.New(2, 64)
		d.Runner = requests{
			Pipeline:  pipeline.New(pipeline.Parts{Models: models, Backend: b, Cache: store, Engine: opencv.New(1), CPU: cpu, TTL: time.Minute}),
			Admission: &pipeline.Admission{Models: models, Backend: b, Items: 1024, Bytes: 64 << 20, Unknown: 1 << 20, Timeout: time.Minute, Parallel: 1},
			decoders:  cpu,
		}
		d.Models = newModels(models)
		d.Limits.Timeout = time.Minute
	})
	return r, p
}

// ask sends so many rows at one time, and gives the calls that the press had for them. The press comes down when all are under it, or wait for a batch.
func (p *press) ask(t *testing.T, r *rig, rows int, from int) []int64 {
	t.Helper()
	p.lift()
	var all sync.WaitGroup
	for i := range rows {
		all.Go(func() {
			res, body := r.do(t, "POST", "/v1/models/press/infer", "application/json", fmt.Sprintf(`{"row":{"x":%d}}`, from+i))
			if res.StatusCode != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"value":%d`, from+i)) {
				t.Errorf("%d: %d %s", from+i, res.StatusCode, body)
			}
		})
	}
	parts.Until(t, "all have arrived", time.Minute, func() bool { return p.under()+p.batcher.Waiting() == int64(rows) })
	close(p.down)
	all.Wait()
	return p.counted()
}

// A model whose cost is by the call answers at least four times as much: 256 requests over HTTP cost at most 64 calls, and as many as requests where batching is off.
func TestBatchingCostsFewCalls(t *testing.T) {
	const rows = 256
	for name, c := range map[string]struct {
		task string
		most int
	}{
		"size 32": {"batching: {inexact: true}", rows / 4}, // nothing is run twice to be compared
		"size 50": {"batching: {size: 50, bound: 200ms, inexact: true}", rows / 4},
		"off":     {"batching: {off: true}", rows},
	} {
		t.Run(name, func(t *testing.T) {
			r, p := pressed(t, c.task)
			calls := p.ask(t, r, rows, 1000)
			total := int64(0)
			for _, n := range calls {
				total += n
			}
			t.Logf("%d requests, %d calls: %v", rows, len(calls), calls)
			if total != rows || len(calls) > c.most || c.most == rows && len(calls) != rows {
				t.Errorf("%d calls of %d rows", len(calls), total)
			}
		})
	}
}

// One request after the other: each is a call of its own, goes at once, and the metrics and /v1/stats say so.
func TestBatchingLeavesSingleRequestsAlone(t *testing.T) {
	r, p := pressed(t, "")
	for i := range 20 {
		if calls := p.ask(t, r, 1, 5000+i); len(calls) != 1 || calls[0] != 1 {
			t.Fatalf("%v", calls)
		}
	}
	want := `
# HELP gateway_batch_size Items of one call of the backend, of models whose calls are put together.
# TYPE gateway_batch_size histogram
` + buckets("gateway_batch_size", []string{"1", "2", "4", "8", "16", "32", "64", "128", "256", "1024"}) + `gateway_batch_size_sum{model="press"} 20
gateway_batch_size_count{model="press"} 20
# HELP gateway_batch_wait_seconds How long the first call of a batch waited for the calls before; 0 for a call that went at once.
# TYPE gateway_batch_wait_seconds histogram
` + buckets("gateway_batch_wait_seconds", strings.Fields("0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30")) + `gateway_batch_wait_seconds_sum{model="press"} 0
gateway_batch_wait_seconds_count{model="press"} 20
`
	if err := testutil.GatherAndCompare(r.server.metrics.registry, strings.NewReader(want), "gateway_batch_size", "gateway_batch_wait_seconds", "gateway_batch_off_total"); err != nil {
		t.Error(err)
	}
	_, body := r.do(t, "GET", "/v1/stats", "", "")
	v := decode[statsView](t, body)
	if b := v.Models[0].Batch; b == nil || *b != (batchView{Runs: 20, Items: 20, Mean: 1}) {
		t.Errorf("%+v in %s", b, body)
	}
}

// buckets are the lines of a histogram all of whose 20 values are in its first bucket.
func buckets(name string, bounds []string) string {
	var b strings.Builder
	for _, bound := range append(bounds, "+Inf") {
		fmt.Fprintf(&b, "%s_bucket{model=\"press\",le=\"%s\"} 20\n", name, bound)
	}
	return b.String()
}

// A load whose batches are not equal is counted where it is turned off.
func TestBatchingOffIsCounted(t *testing.T) {
	m := newMetrics(buildInfo{})
	m.batches.turnedOff("m", "1", "a", 4)
	m.batches.observe("m", 4, time.Millisecond)
	m.batches.observe("m", 1, 0)
	if v := m.batches.view("m"); v == nil || *v != (batchView{Runs: 2, Items: 5, Mean: 2.5, Off: 1}) {
		t.Errorf("%+v", v)
	}
	if m.batches.view("n") != nil {
		t.Error("a model without batches")
	}
	if n := testutil.ToFloat64(m.batches.off.WithLabelValues("m")); n != 1 {
		t.Errorf("%v", n)
	}
	m.batches.mute = true
	m.batches.observe("m", 9, 0)
	m.batches.turnedOff("m", "1", "a", 4)
	if v := m.batches.view("m"); v.Items != 5 || v.Off != 1 {
		t.Errorf("counted while off: %+v", v)
	}
}
