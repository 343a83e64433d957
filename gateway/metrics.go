package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"triton-gateway/gateway/pipeline"
)

// metrics are the Prometheus metrics of one gateway, in a registry of its own. All labels have few values: routes are
// templates, models are those of the catalog.
type metrics struct {
	registry *prometheus.Registry
	inflight prometheus.Gauge
	requests *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	cache    *prometheus.CounterVec
	codes    [600]string
}

func newMetrics(build buildInfo) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_http_requests_in_flight", Help: "Requests that are being served now."}),
		requests: prometheus.NewHistogramVec(histogram("gateway_http_request_duration_seconds", "Time from the request's header to the end of the answer."),
			[]string{"route", "method", "code"}),
		stages: prometheus.NewHistogramVec(histogram("gateway_stage_duration_seconds", "Time of one stage of one item."),
			[]string{"stage", "model"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_cache_requests_total", Help: "Items by where their answer came from."}, []string{"tier", "result"}),
	}
	for i := range m.codes {
		m.codes[i] = strconv.Itoa(i)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gateway_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "backend": build.Backend}})
	info.Set(1)
	m.registry.MustRegister(m.inflight, m.requests, m.stages, m.cache, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// histogram has fixed buckets for every Prometheus, and fine ones for those that take native histograms.
func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                        []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		NativeHistogramBucketFactor:    1.1,
		NativeHistogramMaxBucketNumber: 160,
	}
}

// request counts one request.
func (m *metrics) request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "other"
	}
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
	default:
		method = "other"
	}
	code := "other"
	if status >= 0 && status < len(m.codes) {
		code = m.codes[status]
	}
	m.requests.WithLabelValues(route, method, code).Observe(took.Seconds())
}

// observe counts one answered item. Its model exists, so the label is bounded.
func (s *server) observe(a *pipeline.Answer, tier string) {
	for _, t := range a.Timings {
		s.metrics.stages.WithLabelValues(t.Stage, a.Model).Observe(t.Duration.Seconds())
	}
	kind := "hit"
	switch tier {
	case "miss", "request":
		tier, kind = "none", "miss"
	case "bypass":
		tier, kind = "none", "bypass"
	case "hit":
		tier = "memory"
	}
	s.metrics.cache.WithLabelValues(tier, kind).Inc()
	s.stats.answered(a, kind == "hit")
}
