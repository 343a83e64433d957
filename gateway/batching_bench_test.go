//go:build cgo && linux

package gateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/parts"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// BenchmarkBatchingEmbedded asks models of the demo repository from 16 callers, with and without batches. docs/guide/batching.md has what came out.
func BenchmarkBatchingEmbedded(b *testing.B) {
	const repository, callers = "../model_repository", 16
	engine, err := embedded.New(embedded.Config{Repository: repository, Library: parts.ONNXRuntime(b), Threads: 1, Log: quietLog()})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	models := catalog.New(engine, catalog.Options{Repository: repository, Log: quietLog()})
	defer models.Close()
	for _, name := range []string{"iris", "digits", "shapes", "shapes-detector"} {
		m, err := models.Lookup(name)
		if err != nil {
			b.Fatal(err)
		}
		for _, size := range []int{1, 32} {
			config := DefaultConfig()
			config.Batching.Size, config.Embedded.Threads = size, 1
			g := &Gateway{config: config, log: quietLog()}
			counts := newMetrics(buildInfo{})
			batched := g.batched(engine, models, counts)
			kind := map[int]string{1: "single", 32: "batched"}[size]
			b.Run(name+"/"+kind, func(b *testing.B) {
				var left atomic.Int64
				left.Store(int64(b.N))
				var all sync.WaitGroup
				before := spent(b)
				for i := range callers {
					all.Go(func() {
						r := &backend.Request{Model: name, Version: m.Versions[0].Number, Inputs: []tensor.Tensor{picked(m, uint64(i))}}
						for left.Add(-1) >= 0 {
							if _, err := batched.Infer(b.Context(), r); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64((spent(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op") // unlike the time, it does not depend on what else the machine does
				if v := counts.batches.view(name); v != nil {
					b.ReportMetric(v.Mean, "items/run")
					b.ReportMetric(float64(v.Off), "off")
				}
			})
		}
	}
}

// metered is a press that is free again a while after each call, whatever was in it, and does one call at a time, as a GPU does.
type metered struct {
	*press
	cost time.Duration
	free sync.Mutex
}

func (m *metered) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	m.free.Lock()
	time.Sleep(m.cost)
	m.free.Unlock()
	return m.press.Infer(ctx, r)
}

// BenchmarkBatchingByTheCall asks a model whose call costs 5 ms, with and without batches, from one caller and from 64: requests a second, and the median of their times.
func BenchmarkBatchingByTheCall(b *testing.B) {
	config, err := modelconfig.Parse("press", []byte(`max_batch_size: 64
		input [{name: "input" data_type: TYPE_FP32 dims: [1]}] output [{name: "value" data_type: TYPE_FP32 dims: [1]}]`))
	if err != nil {
		b.Fatal(err)
	}
	down := make(chan struct{})
	close(down)
	for _, s := range []struct {
		name  string
		size  int
		bound time.Duration
	}{{"single", 1, 0}, {"size 32, bound 50ms", 32, 50 * time.Millisecond}, {"size 50, bound 200ms", 50, 200 * time.Millisecond}} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d callers", s.name, callers), func(b *testing.B) {
				dir := b.TempDir()
				if err := os.MkdirAll(filepath.Join(dir, "press"), 0o700); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "press", "task.yaml"), []byte("task: tabular-regression\ninput: {columns: [x]}\n"), 0o600); err != nil {
					b.Fatal(err)
				}
				m := &metered{press: &press{config: config, down: down}, cost: 5 * time.Millisecond}
				models := catalog.New(m, catalog.Options{Repository: dir, Log: quietLog()})
				defer models.Close()
				g := &Gateway{config: DefaultConfig(), log: quietLog()}
				g.config.Batching.Size = s.size
				if s.bound > 0 {
					g.config.Batching.Bound = s.bound
				}
				batched := g.batched(m, models, newMetrics(buildInfo{}))
				took := make([]time.Duration, b.N)
				var next atomic.Int64
				var all sync.WaitGroup
				b.ResetTimer()
				for range callers {
					all.Go(func() {
						in := tensor.Tensor{Name: "input", DType: tensor.FP32, Shape: []int64{1, 1}, Data: make([]byte, 4)}
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							began := time.Now()
							if _, err := batched.Infer(b.Context(), &backend.Request{Model: "press", Version: "1", Inputs: []tensor.Tensor{in}}); err != nil {
								b.Error(err)
								return
							}
							took[i-1] = time.Since(began)
						}
					})
				}
				all.Wait()
				b.StopTimer()
				slices.Sort(took)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			})
		}
	}
}

// spent is the processor time of this process.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// picked is one item of a model's input.
func picked(m *catalog.Model, seed uint64) tensor.Tensor {
	in := m.Config.Inputs[0]
	shape := append([]int64{1}, in.Dims...)
	n, _ := tensor.Elements(shape)
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 0, 4*n)
	for range n {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(r.Float32()))
	}
	return tensor.Tensor{Name: in.Name, DType: tensor.FP32, Shape: shape, Data: data}
}
