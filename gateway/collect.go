package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/limit"
)

// readings are figures that the parts count by themselves; they are read when Prometheus asks.
type readings func() []reading

var _ prometheus.Collector = readings(nil)

// reading is one figure: its name, what it means, its labels, whether it only grows, and its value for each set of labels.
type reading struct {
	name, help string
	labels     []string
	grows      bool
	values     []labelled
}

// labelled is one value and its labels.
type labelled struct {
	value  float64
	labels []string
}

// one is a value without labels.
func one(v float64) []labelled { return []labelled{{value: v}} }

// Describe sends nothing: the figures are checked when they are collected.
func (r readings) Describe(chan<- *prometheus.Desc) {}

// Collect sends all figures.
func (r readings) Collect(out chan<- prometheus.Metric) {
	for _, f := range r() {
		kind := prometheus.GaugeValue
		if f.grows {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(f.name, f.help, f.labels, nil)
		for _, v := range f.values {
			out <- prometheus.MustNewConstMetric(desc, kind, v.value, v.labels...)
		}
	}
}

// collector reads the cache and the limits.
type collector struct {
	cache  *cache.Tiered
	cpu    *limit.Limiter
	bodies *limit.Bytes
}

var _ prometheus.Collector = collector{}

// Describe sends nothing, as readings does.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all figures.
func (c collector) Collect(out chan<- prometheus.Metric) { readings(c.readings).Collect(out) }

func (c collector) readings() []reading {
	s, cpu, bodies := c.cache.Stats(), c.cpu.Stats(), c.bodies.Stats()
	tiers := func(value func(cache.TierStats) uint64) []labelled {
		return []labelled{{float64(value(s.Memory)), []string{"memory"}}, {float64(value(s.Redis)), []string{"redis"}}}
	}
	limits := func(cpu, bodies float64) []labelled {
		return []labelled{{cpu, []string{"workers"}}, {bodies, []string{"bodies"}}}
	}
	tier, limit := []string{"tier"}, []string{"limit"}
	return []reading{
		{"gateway_cache_hits_total", "Look-ups that found something.", tier, true, tiers(func(t cache.TierStats) uint64 { return t.Hits })},
		{"gateway_cache_misses_total", "Look-ups that found nothing.", tier, true, tiers(func(t cache.TierStats) uint64 { return t.Misses })},
		{"gateway_cache_errors_total", "Failed calls; the request went on without the tier.", tier, true, tiers(func(t cache.TierStats) uint64 { return t.Errors })},
		{"gateway_cache_drops_total", "Values evicted from memory, or not written to Redis.", tier, true, tiers(func(t cache.TierStats) uint64 { return t.Drops })},
		{"gateway_cache_entries", "Values in memory.", nil, false, one(float64(s.Memory.Entries))},
		{"gateway_cache_bytes", "Memory that they take.", nil, false, one(float64(s.Memory.Bytes))},
		{"gateway_cache_computed_total", "Computations started.", nil, true, one(float64(s.Computed))},
		{"gateway_cache_shared_total", "Answers given by another caller's computation.", nil, true, one(float64(s.Shared))},
		{"gateway_cache_running", "Computations under way.", nil, false, one(float64(s.Running))},
		{"gateway_cache_redis_up", "1 while Redis is looked up, 0 while it is left alone after failures; missing without Redis.", nil, false, up(s.Breaker)},
		{"gateway_cache_redis_pending", "Values that wait to be written to Redis.", nil, false, one(float64(s.Pending))},
		{"gateway_limit_used", "What is taken of a limit: decoders at work, bytes of request bodies.", limit, false, limits(float64(cpu.Running), float64(bodies.Used))},
		{"gateway_limit_capacity", "The limit: limits.workers, limits.bodies.", limit, false, limits(float64(cpu.Capacity), float64(bodies.Capacity))},
		{"gateway_limit_waiting", "Requests that wait for it.", limit, false, limits(float64(cpu.Waiting), float64(bodies.Waiting))},
		{"gateway_limit_refused_total", "Requests that were turned away by it.", limit, true, limits(float64(cpu.Refused), float64(bodies.Refused))},
	}
}

// up is the state of Redis by its breaker; nothing without Redis.
func up(breaker string) []labelled {
	switch breaker {
	case "":
		return nil
	case "closed":
		return one(1)
	}
	return one(0)
}
