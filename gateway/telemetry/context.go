package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	parentHeader = "traceparent"
	stateHeader  = "tracestate"
)

// Extract puts the caller's W3C trace context into ctx; get gives the value of a header or of metadata, "" where there is none. A malformed
// context counts as none. See https://www.w3.org/TR/trace-context/.
func Extract(ctx context.Context, get func(key string) string) context.Context {
	if get(parentHeader) == "" {
		return ctx // without an allocation
	}
	return propagation.TraceContext{}.Extract(ctx, getter(get))
}

// Outgoing gives the headers that hand ctx's trace on, also of one that is not sampled here; nil where there is none.
func Outgoing(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	out := make(propagation.MapCarrier, 2)
	propagation.TraceContext{}.Inject(ctx, out)
	return out
}

// Following gives a context that is under ctx's trace, and has nothing else of ctx: neither its values nor its end.
func Following(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(ctx))
}

// Sampled gives the id of ctx's trace, 32 hex digits, if it is recorded; "" otherwise.
func Sampled(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsSampled() {
		return c.TraceID().String()
	}
	return ""
}

// getter makes a carrier that is only read of a function.
type getter func(key string) string

func (g getter) Get(key string) string { return g(key) }
func (getter) Set(string, string)      {}
func (getter) Keys() []string          { return nil }

// LogHandler adds trace_id and span_id to records that are logged under a trace.
func LogHandler(inner slog.Handler) slog.Handler { return logHandler{inner} }

type logHandler struct{ slog.Handler }

// Handle passes the record on.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", c.TraceID().String()), slog.String("span_id", c.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the ids on what the logger becomes.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the ids on what the logger becomes; they are in the group then.
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
