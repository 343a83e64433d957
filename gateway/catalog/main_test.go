package catalog

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// fake is a backend whose index the test writes.
type fake struct {
	mu      sync.Mutex
	index   []backend.ModelStatus
	configs map[string]*modelconfig.Config
	err     error
	hang    bool
	asked   int // calls of Config
}

var _ Source = (*fake)(nil)

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) Index(ctx context.Context) ([]backend.ModelStatus, error) {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, fault.New(fault.Timeout, "deadline_exceeded", "no answer").Wrap(ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]backend.ModelStatus{}, f.index...), f.err
}

func (f *fake) Config(_ context.Context, name string) (*modelconfig.Config, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	c, ok := f.configs[name]
	if !ok {
		return nil, fault.New(fault.Upstream, "upstream_error", "no config of %s today", name)
	}
	return c, nil
}

// ready makes one line of an index.
func ready(name, version, epoch string) backend.ModelStatus {
	return backend.ModelStatus{Name: name, Version: version, State: backend.Ready, Epoch: epoch}
}

// rows is the config of a model of four columns and three classes.
func rows(name, task string) *modelconfig.Config {
	c := &modelconfig.Config{Name: name, MaxBatchSize: 8,
		Inputs:  []modelconfig.IO{{Name: "x", DType: tensor.FP32, Dims: []int64{4}}},
		Outputs: []modelconfig.IO{{Name: "y", DType: tensor.FP32, Dims: []int64{3}, LabelFilename: "labels.txt"}}}
	if task != "" {
		c.Parameters = map[string]string{"task": task}
	}
	return c
}

const rowsTask = "{task: tabular-classification, input: {columns: [a, b, c, d]}, output: {activation: none}}"

// source is a fake with one model m, version 1.
func source() *fake {
	return &fake{index: []backend.ModelStatus{ready("m", "1", "e1")}, configs: map[string]*modelconfig.Config{"m": rows("m", rowsTask)}}
}

// start makes a catalog that looks only when the test says so.
func start(tb testing.TB, s Source, repository string) *Catalog {
	tb.Helper()
	c := New(s, Options{Repository: repository, Interval: time.Hour, Log: quiet})
	tb.Cleanup(func() { c.Close() })
	return c
}

func refresh(tb testing.TB, c *Catalog) {
	tb.Helper()
	if err := c.Refresh(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func lookup(tb testing.TB, c *Catalog, name string) *Model {
	tb.Helper()
	m, err := c.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// put writes a file, and makes it and its folder look as if they had been written a while ago; each time another while.
func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	settle(tb, path, filepath.Dir(path))
}

func settle(tb testing.TB, paths ...string) {
	tb.Helper()
	clock.Lock()
	defer clock.Unlock()
	clock.ticks++
	when := time.Now().Add(-time.Hour + time.Duration(clock.ticks)*time.Second)
	for _, path := range paths {
		if err := os.Chtimes(path, when, when); err != nil {
			tb.Fatal(err)
		}
	}
}

var clock struct {
	sync.Mutex
	ticks int
}
