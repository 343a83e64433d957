package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/limit"
)

// collector reads what the parts count by themselves, when Prometheus asks.
type collector struct {
	cache  *cache.Tiered
	cpu    *limit.Limiter
	bodies *limit.Bytes
}

var _ prometheus.Collector = collector{}

// reading is one figure: its name, what it means, whether it only grows, and its value for each value of a label ("" for none).
type reading struct {
	name, help, label string
	grows             bool
	values            map[string]float64
}

// Describe sends nothing: the figures are checked when they are collected.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all figures.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, r := range c.readings() {
		kind := prometheus.GaugeValue
		if r.grows {
			kind = prometheus.CounterValue
		}
		var labels []string
		if r.label != "" {
			labels = []string{r.label}
		}
		desc := prometheus.NewDesc(r.name, r.help, labels, nil)
		for label, v := range r.values {
			if r.label == "" {
				out <- prometheus.MustNewConstMetric(desc, kind, v)
			} else {
				out <- prometheus.MustNewConstMetric(desc, kind, v, label)
			}
		}
	}
}

func (c collector) readings() []reading {
	s, cpu, bodies := c.cache.Stats(), c.cpu.Stats(), c.bodies.Stats()
	tiers := func(value func(cache.TierStats) uint64) map[string]float64 {
		return map[string]float64{"memory": float64(value(s.Memory)), "redis": float64(value(s.Redis))}
	}
	one := func(v float64) map[string]float64 { return map[string]float64{"": v} }
	limits := func(cpu, bodies float64) map[string]float64 {
		return map[string]float64{"workers": cpu, "bodies": bodies}
	}
	return []reading{
		{"gateway_cache_hits_total", "Look-ups that found something.", "tier", true, tiers(func(t cache.TierStats) uint64 { return t.Hits })},
		{"gateway_cache_misses_total", "Look-ups that found nothing.", "tier", true, tiers(func(t cache.TierStats) uint64 { return t.Misses })},
		{"gateway_cache_errors_total", "Failed calls; the request went on without the tier.", "tier", true, tiers(func(t cache.TierStats) uint64 { return t.Errors })},
		{"gateway_cache_drops_total", "Values evicted from memory, or not written to Redis.", "tier", true, tiers(func(t cache.TierStats) uint64 { return t.Drops })},
		{"gateway_cache_entries", "Values in memory.", "", false, one(float64(s.Memory.Entries))},
		{"gateway_cache_bytes", "Memory that they take.", "", false, one(float64(s.Memory.Bytes))},
		{"gateway_cache_computed_total", "Computations started.", "", true, one(float64(s.Computed))},
		{"gateway_cache_shared_total", "Answers given by another caller's computation.", "", true, one(float64(s.Shared))},
		{"gateway_cache_running", "Computations under way.", "", false, one(float64(s.Running))},
		{"gateway_cache_redis_up", "1 while Redis is looked up, 0 while it is left alone after failures; missing without Redis.", "", false, up(s.Breaker)},
		{"gateway_cache_redis_pending", "Values that wait to be written to Redis.", "", false, one(float64(s.Pending))},
		{"gateway_limit_used", "What is taken of a limit: decoders at work, bytes of request bodies.", "limit", false, limits(float64(cpu.Running), float64(bodies.Used))},
		{"gateway_limit_capacity", "The limit: limits.workers, limits.bodies.", "limit", false, limits(float64(cpu.Capacity), float64(bodies.Capacity))},
		{"gateway_limit_waiting", "Requests that wait for it.", "limit", false, limits(float64(cpu.Waiting), float64(bodies.Waiting))},
		{"gateway_limit_refused_total", "Requests that were turned away by it.", "limit", true, limits(float64(cpu.Refused), float64(bodies.Refused))},
	}
}

// up is the state of Redis by its breaker; nothing without Redis.
func up(breaker string) map[string]float64 {
	switch breaker {
	case "":
		return nil
	case "closed":
		return map[string]float64{"": 1}
	}
	return map[string]float64{"": 0}
}
