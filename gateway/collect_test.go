package gateway

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/limit"
)

func TestCollectorReadsCacheAndLimits(t *testing.T) {
	c, err := cache.New(cache.Config{Memory: 1 << 20}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer := func(context.Context) ([]byte, bool, error) { return []byte("x"), true, nil }
	for range 3 {
		if _, _, err := c.Do(t.Context(), cache.Key{}, cache.Default, 0, answer); err != nil {
			t.Fatal(err)
		}
	}
	cpu, bodies := limit.New(2, 0), limit.NewBytes(100)
	release, _, err := cpu.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{c, cpu, bodies})
	want := `
# HELP gateway_cache_computed_total Computations started.
# TYPE gateway_cache_computed_total counter
gateway_cache_computed_total 1
# HELP gateway_cache_hits_total Look-ups that found something.
# TYPE gateway_cache_hits_total counter
gateway_cache_hits_total{tier="memory"} 2
gateway_cache_hits_total{tier="redis"} 0
# HELP gateway_limit_capacity The limit: limits.workers, limits.bodies.
# TYPE gateway_limit_capacity gauge
gateway_limit_capacity{limit="bodies"} 100
gateway_limit_capacity{limit="workers"} 2
# HELP gateway_limit_used What is taken of a limit: decoders at work, bytes of request bodies.
# TYPE gateway_limit_used gauge
gateway_limit_used{limit="bodies"} 0
gateway_limit_used{limit="workers"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "gateway_cache_computed_total", "gateway_cache_hits_total",
		"gateway_limit_capacity", "gateway_limit_used"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "gateway_cache_redis_up"); err != nil || n != 0 {
		t.Errorf("%d, %v: there is no Redis", n, err)
	}
	for breaker, want := range map[string]float64{"closed": 1, "open": 0, "half-open": 0} {
		if up(breaker)[0].value != want {
			t.Errorf("%s: %v", breaker, up(breaker))
		}
	}
}
