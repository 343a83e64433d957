//go:build cgo && linux

package gateway

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/parts"
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
