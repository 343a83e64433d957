package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/telemetry"
)

// Telemetry says where traces go. Metrics and logs need no settings here: they are at /metrics and on standard error.
type Telemetry struct {
	OTLP    string            `yaml:"otlp" json:"otlp,omitempty" env:"OTLP" jsonschema_description:"Collector that traces are sent to: http://host:4318 or https:// for OTLP over HTTP, grpc://host:4317 or grpcs:// for OTLP over gRPC. Empty: no traces are recorded; the trace context of callers is passed on all the same."`
	Sample  float64           `yaml:"sample" json:"sample,omitempty" env:"SAMPLE" jsonschema_description:"Share of requests that are traced, 0 to 1, of those without a traceparent header; the others are traced if their caller traces them. Default 0.1."`
	Headers map[string]Secret `yaml:"headers" json:"headers,omitempty" env:"HEADERS" jsonschema_description:"Headers sent to the collector, such as its key."`

	// Off keeps no metrics and no counts of /v1/stats. It is no key, but for measuring what they cost.
	Off bool `yaml:"-" json:"-"`
}

// client turns the settings into the tracer's.
func (t *Telemetry) client(version string) telemetry.Config {
	headers := map[string]string{}
	for name, value := range t.Headers {
		headers[name] = string(value)
	}
	return telemetry.Config{OTLP: t.OTLP, Sample: t.Sample, Headers: headers, Version: version}
}

// check is the section's part of Config.Validate.
func (t *Telemetry) check() []error {
	if err := t.client("").Validate(); err != nil {
		return []error{fmt.Errorf("config: %w", err)}
	}
	return nil
}

// openTelemetry makes the tracer and the metrics, and has the log name traces.
func (g *Gateway) openTelemetry(build Build) (*metrics, error) {
	lines, drops := g.log.Handler().(dropper)
	g.log = slog.New(telemetry.LogHandler(g.log.Handler()))
	tracer, err := telemetry.New(g.config.Telemetry.client(build.Version), g.log)
	if err != nil {
		return nil, err
	}
	g.onClose(tracer.Close)
	m := newMetrics(buildInfo{Version: build.Version, Commit: build.Commit, Backend: g.config.backendName()})
	m.tracer, m.off = tracer, g.config.Telemetry.Off
	m.batches.mute = m.off
	if drops {
		m.registry.MustRegister(logReadings(lines))
	}
	if g.config.Telemetry.OTLP != "" {
		m.registry.MustRegister(spanReadings(tracer))
	}
	return m, nil
}

// watch has the metrics show what a backend counts by itself, where it does. It returns what ends the watching.
func (m *metrics) watch(b backend.Backend) (end func() error) {
	pool, isPool := b.(backend.Pool)
	if isPool {
		m.pool = pool
		m.registry.MustRegister(poolReadings(pool))
	}
	teller, ok := b.(backend.Teller)
	if !ok {
		return func() error { return nil }
	}
	counters := newModelCounters(teller, m.pool, time.Now)
	m.registry.MustRegister(readings(counters.readings))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		counters.begin(ctx)
	}()
	return func() error {
		cancel()
		<-ended
		return nil
	}
}
