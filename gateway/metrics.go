package gateway

import (
	"context"
	"net/http"
	"strconv"
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
	later    *later
	cache    *prometheus.CounterVec
	jobs     *jobCounts
	batches  *batchCounts
	routes   *routeCounts
	switches *switchCounts
	refused  *prometheus.CounterVec // callers, by reason
	codes    [600]string
	pool     backend.Pool      // nil where the backend is one server
	tracer   *telemetry.Tracer // nil: no spans
	off      bool              // nothing is counted; see Telemetry.Off

	requestSeries known[requestKey, prometheus.Observer]
	callSeries    known[callKey, prometheus.Observer]
	cacheSeries   known[cacheKey, prometheus.Counter]
}

// Keys of series.
type (
	requestKey struct {
		route, method string
		status        int
	}
	callKey  struct{ protocol, method, code string }
	cacheKey struct{ tier, result string }
)

func newMetrics(build buildInfo) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_http_requests_in_flight", Help: "Requests that are being served now."}),
		requests: prometheus.NewHistogramVec(histogram("gateway_http_request_duration_seconds", "Time from the request's header to the end of the answer."),
			[]string{"route", "method", "code"}),
		calls: prometheus.NewHistogramVec(histogram("gateway_kserve_request_duration_seconds", "Time of one call of KServe v2. code is an HTTP status or the name of a gRPC code."),
			[]string{"protocol", "method", "code"}),
		later: new(later),
		jobs:  newJobCounts(), batches: newBatchCounts(), routes: newRouteCounts(), switches: newSwitchCounts(),
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
	m.registry.MustRegister(m.jobs.collectors()...)
	m.registry.MustRegister(m.batches.collectors()...)
	m.registry.MustRegister(m.switches.collectors()...)
	m.stages = newStageTimes(m.later)
	m.refused = newRefused()
	m.registry.MustRegister(m.inflight, counted{m.requests, m.later}, counted{m.calls, m.later}, counted{m.stages.seconds, m.later}, m.cache, m.refused, m.routes.requests, info,
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
		NativeHistogramMaxExemplars:    -1, // those of the buckets are taken for them; a list of its own would be kept sorted under a lock
	}
}

// seen counts a duration: at once with the trace as its exemplar where there is one, which notes the time, and later otherwise.
func (l *later) seen(d duration, trace string) {
	e, ok := d.in.(prometheus.ExemplarObserver)
	if trace == "" || !ok {
		l.add(d)
		return
	}
	e.ObserveWithExemplar(d.took.Seconds(), prometheus.Labels{"trace_id": trace})
	if d.also != nil {
		d.also.add(d.took)
	}
}

// request counts one request.
func (m *metrics) request(ctx context.Context, route, method string, status int, took time.Duration) {
	if m.off {
		return
	}
	key := requestKey{route, method, status}
	if o, found := m.requestSeries.get(key); found {
		m.later.seen(duration{in: o, took: took}, telemetry.Sampled(ctx))
		return
	}
	if route == "" {
		route = "other"
	}
	ours := true
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPatch:
	default:
		method, ours = "other", false
	}
	o := m.requests.WithLabelValues(route, method, m.code(status))
	if ours { // what callers make up is not kept
		m.requestSeries.add(key, o)
	}
	m.later.seen(duration{in: o, took: took}, telemetry.Sampled(ctx))
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
	key := callKey{protocol, method, text}
	o, found := m.callSeries.get(key)
	if !found {
		o = m.calls.WithLabelValues(protocol, method, text)
		m.callSeries.add(key, o)
	}
	m.later.seen(duration{in: o, took: took}, telemetry.Sampled(ctx))
}

// observer is what the pipeline tells of its stages.
func (m *metrics) observer() pipeline.Observer {
	if m.off {
		return nil
	}
	return watch{m.stages, m.tracer}
}

// observe counts one answered item.
func (s *server) observe(tenant string, a *pipeline.Answer, tier string) {
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
	key := cacheKey{tier, kind}
	c, found := s.metrics.cacheSeries.get(key)
	if !found {
		c = s.metrics.cache.WithLabelValues(tier, kind)
		s.metrics.cacheSeries.add(key, c)
	}
	c.Inc()
	s.stats.answered(tenant, a, kind == "hit")
}
