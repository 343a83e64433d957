// Package telemetry records what requests do as OpenTelemetry traces and sends them over OTLP. It exists so that nobody else has to know
// OpenTelemetry: the rest of the gateway sees contexts, spans that may be nothing, and attributes.
//
// Requests never wait for it. A span that ends is put into a line of bounded length, or dropped; a collector that is slow, hung or gone costs
// spans and one line in the log.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"triton-gateway/internal/fault"
)

// Config says where traces go. The zero value records none and still passes the callers' trace context on.
type Config struct {
	// OTLP is the collector: http://host:4318 or https:// for OTLP over HTTP, grpc://host:4317 or grpcs:// for OTLP over gRPC. A path of an
	// HTTP URL stands in place of /v1/traces. Empty: none.
	OTLP string
	// Sample is the share of requests that are traced, 0 to 1, of those that bring no trace context. Others are traced if their caller
	// does so.
	Sample float64
	// Headers are sent with every export, such as the key of a hosted collector.
	Headers map[string]string
	Version string // of the gateway
}

// Validate reports an address that cannot be one, or a share out of range.
func (c Config) Validate() error {
	var faults []error
	if c.OTLP != "" {
		_, err := parseEndpoint(c.OTLP)
		faults = append(faults, err)
	}
	if !(c.Sample >= 0 && c.Sample <= 1) {
		faults = append(faults, fault.New(fault.Invalid, "invalid_config", "telemetry.sample: %v is not between 0 and 1", c.Sample))
	}
	return errors.Join(faults...)
}

// Tracer makes spans. It is safe for concurrent use; a nil Tracer makes none.
type Tracer struct {
	spans  trace.Tracer // nil where nothing is recorded
	below  uint64       // a request is traced if a random number is less than this
	queue  *queue
	cancel func()
}

// New makes a Tracer. It does not wait for the collector. Close it.
func New(c Config, log *slog.Logger) (*Tracer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Tracer{}
	if c.OTLP == "" {
		return t, nil
	}
	e, err := parseEndpoint(c.OTLP)
	if err != nil {
		return nil, err
	}
	out, cancel, err := e.exporter(c.Headers)
	if err != nil {
		return nil, fault.New(fault.Invalid, "invalid_config", "telemetry.otlp: %v", err).Wrap(err)
	}
	t.cancel = cancel
	t.start(c, newQueue(out, e.String(), exportTimeout, log))
	return t, nil
}

// start sets up the recording.
func (t *Tracer) start(c Config, q *queue) {
	t.queue = q
	t.below = math.MaxUint64
	if c.Sample < 1 {
		t.below = uint64(c.Sample * (1 << 63) * 2)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithSpanProcessor(q),
		// Which requests are recorded is decided in Start, before anything is allocated: what comes here is.
		sdk.WithSampler(sdk.AlwaysSample()),
		sdk.WithRawSpanLimits(sdk.SpanLimits{AttributeValueLengthLimit: 1024, AttributeValueDepthLimit: 4, AttributeCountLimit: 32, EventCountLimit: 32,
			LinkCountLimit: 4, AttributePerEventCountLimit: 8, AttributePerLinkCountLimit: 8}),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "triton-gateway"),
			attribute.String("service.version", c.Version))),
	)
	t.spans = provider.Tracer("triton-gateway", trace.WithInstrumentationVersion(c.Version))
	go q.run()
}

// closeTimeout bounds what is still sent at the end.
const closeTimeout = 3 * time.Second

// Close sends what waits, for 3 s at most, and ends the recording.
func (t *Tracer) Close() error {
	if t == nil || t.queue == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := t.queue.Shutdown(ctx)
	if t.cancel != nil {
		t.cancel()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) { // what could not be sent in time has been logged and counted
		return err
	}
	return nil
}

// Stats are counts of spans since the start.
type Stats struct {
	Sent    uint64 // taken by the collector
	Failed  uint64 // refused by it, or it could not be reached
	Dropped uint64 // the line was full
	Waiting int    // in the line now
}

// Stats gives the present counts.
func (t *Tracer) Stats() Stats {
	if t == nil || t.queue == nil {
		return Stats{}
	}
	return t.queue.stats()
}
