package gateway

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// batchCounts count the batches of the models that are batched.
type batchCounts struct {
	size *prometheus.HistogramVec
	wait *prometheus.HistogramVec
	off  *prometheus.CounterVec
	mute bool // nothing is counted; see Telemetry.Off

	models known[string, *batchSeries]
}

// batchSeries are the series of one model, and the sums of them for /v1/stats.
type batchSeries struct {
	size, wait   prometheus.Observer
	runs, items  atomic.Int64
	notBatchable atomic.Int64
}

func newBatchCounts() *batchCounts {
	size := histogram("gateway_batch_size", "Items of one call of the backend, of models whose calls are put together.")
	size.Buckets = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}
	return &batchCounts{
		size: prometheus.NewHistogramVec(size, []string{"model"}),
		wait: prometheus.NewHistogramVec(histogram("gateway_batch_wait_seconds", "How long the first call of a batch waited for the calls before; 0 for a call that went at once."), []string{"model"}),
		off: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_batch_off_total", Help: "Loads of a model whose calls are not put together any more, because a batch was not equal to its calls, bit for bit."}, []string{"model"}),
	}
}

func (b *batchCounts) collectors() []prometheus.Collector {
	return []prometheus.Collector{b.size, b.wait, b.off}
}

// of gives the series of a model, which is one of the catalog's.
func (b *batchCounts) of(model string) *batchSeries {
	s, found := b.models.get(model)
	if !found {
		s = &batchSeries{size: b.size.WithLabelValues(model), wait: b.wait.WithLabelValues(model)}
		b.models.add(model, s)
	}
	return s
}

// observe counts one batch.
func (b *batchCounts) observe(model string, items int, wait time.Duration) {
	if b.mute {
		return
	}
	s := b.of(model)
	s.size.Observe(float64(items))
	s.wait.Observe(wait.Seconds())
	s.runs.Add(1)
	s.items.Add(int64(items))
}

// turnedOff counts a load that is not batched any more.
func (b *batchCounts) turnedOff(model, _, _ string, _ int) {
	if b.mute {
		return
	}
	b.off.WithLabelValues(model).Inc()
	b.of(model).notBatchable.Add(1)
}

// batchView is the batching of one model in /v1/stats.
type batchView struct {
	Runs  int64   `json:"runs" doc:"Calls of the backend that could have had company"`
	Items int64   `json:"items" doc:"Of all of them"`
	Mean  float64 `json:"mean_size" doc:"Items of one"`
	Off   int64   `json:"off" doc:"Loads whose calls are not put together, because a batch was not equal to its calls"`
}

// view is nil for a model that has had no batches.
func (b *batchCounts) view(model string) *batchView {
	s, found := b.models.get(model)
	if !found {
		return nil
	}
	v := &batchView{Runs: s.runs.Load(), Items: s.items.Load(), Off: s.notBatchable.Load()}
	if v.Runs > 0 {
		v.Mean = float64(v.Items) / float64(v.Runs)
	}
	return v
}
