package gateway

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/telemetry"
)

// metrics are the Prometheus metrics of one gateway, in a registry of its own. All labels have few values: routes are
// templates, models are those of the catalog, outcomes are the kinds of failure.
type metrics struct {
	registry *prometheus.Registry
	inflight prometheus.Gauge
	requests *prometheus.HistogramVec
	calls    *prometheus.HistogramVec
	stages   *stageTimes
	cache    *prometheus.CounterVec
	jobs     *jobCounts
	codes    [600]string
	pool     backend.Pool      // nil where the backend is one server
	tracer   *telemetry.Tracer // nil: no spans
	off      bool              // nothing is counted; see Telemetry.Off

	mu     sync.Mutex // held to add a series
	series atomic.Pointer[map[requestKey]prometheus.Observer]
}

// requestKey names a series of requests. They are found by it, since looking for them by the texts of their labels takes several times as long.
type requestKey struct {
	route, method string
	status        int
}

func newMetrics(build buildInfo) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_http_requests_in_flight", Help: "Requests that are being served now."}),
		requests: prometheus.NewHistogramVec(histogram("gateway_http_request_duration_seconds", "Time from the request's header to the end of the answer."),
			[]string{"route", "method", "code"}),
		calls: prometheus.NewHistogramVec(histogram("gateway_kserve_request_duration_seconds", "Time of one call of KServe v2. code is an HTTP status or the name of a gRPC code."),
			[]string{"protocol", "method", "code"}),
		stages: newStageTimes(),
		jobs:   newJobCounts(),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_cache_requests_total", Help: "Items by where their answer came from."}, []string{"tier", "result"}),
	}
	m.series.Store(&map[requestKey]prometheus.Observer{})
	for i := range m.codes {
		m.codes[i] = strconv.Itoa(i)
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gateway_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "backend": build.Backend}})
	info.Set(1)
	m.registry.MustRegister(m.jobs.collectors()...)
	m.registry.MustRegister(m.inflight, m.requests, m.calls, m.stages.seconds, m.cache, info,
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

// seen counts a duration, with the trace as its exemplar where there is one.
func seen(h prometheus.Observer, took time.Duration, trace string) {
	if trace != "" {
		if e, ok := h.(prometheus.ExemplarObserver); ok {
			e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": trace})
			return
		}
	}
	h.Observe(took.Seconds())
}

// request counts one request.
func (m *metrics) request(ctx context.Context, route, method string, status int, took time.Duration) {
	if m.off {
		return
	}
	key := requestKey{route, method, status}
	if o, found := (*m.series.Load())[key]; found {
		seen(o, took, telemetry.Sampled(ctx))
		return
	}
	if route == "" {
		route = "other"
	}
	known := true
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
	default:
		method, known = "other", false
	}
	o := m.requests.WithLabelValues(route, method, m.code(status))
	if known { // what callers make up is not kept
		m.mu.Lock()
		next := maps.Clone(*m.series.Load())
		next[key] = o
		m.series.Store(&next)
		m.mu.Unlock()
	}
	seen(o, took, telemetry.Sampled(ctx))
}

func (m *metrics) code(status int) string {
	if status >= 0 && status < len(m.codes) {
		return m.codes[status]
	}
	return "other"
}

// grpcCodes are the names of gRPC's codes, by number.
var grpcCodes = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// call counts one call of KServe v2; it is what package kserve observes with. protocol is http or grpc, method the name of an RPC.
func (m *metrics) call(ctx context.Context, protocol, method, _ string, code kserve.Code, took time.Duration) {
	if m.off {
		return
	}
	text := "other"
	if protocol != "grpc" {
		text = m.code(code.HTTP)
	} else if int(code.GRPC) < len(grpcCodes) {
		text = grpcCodes[code.GRPC]
	}
	seen(m.calls.WithLabelValues(protocol, method, text), took, telemetry.Sampled(ctx))
}

// observer is what the pipeline tells of its stages.
func (m *metrics) observer() pipeline.Observer {
	if m.off {
		return nil
	}
	return watch{m.stages, m.tracer}
}

// observe counts one answered item.
func (s *server) observe(a *pipeline.Answer, tier string) {
	if s.metrics.off {
		return
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
