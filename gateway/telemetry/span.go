package telemetry

import (
	"context"
	"errors"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"triton-gateway/internal/fault"
)

// Kind says which side of a call a span is.
type Kind = trace.SpanKind

// The kinds that the gateway has.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Client   = trace.SpanKindClient
)

// Attr is an attribute of a span or an event.
type Attr = attribute.KeyValue

// String makes an attribute of a text.
func String(key, value string) Attr { return attribute.String(key, value) }

// Int makes an attribute of a number.
func Int(key string, value int64) Attr { return attribute.Int64(key, value) }

// Float makes an attribute of a number.
func Float(key string, value float64) Attr { return attribute.Float64(key, value) }

// Start begins a span under the one of ctx, or under the caller's that Extract found. It records nothing, allocates nothing and gives ctx
// back where the trace is not sampled, and where there is none: then only a Server span begins a trace, for the share of calls that is
// configured. Name is one of few: it holds nothing that a caller chose.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	if t == nil || t.spans == nil {
		return ctx, Span{}
	}
	if above := trace.SpanContextFromContext(ctx); above.IsValid() {
		if !above.IsSampled() {
			return ctx, Span{}
		}
	} else if kind != Server || rand.Uint64() >= t.below {
		return ctx, Span{}
	}
	ctx, span := t.spans.Start(ctx, name, kindOption[kind])
	return ctx, Span{span}
}

var kindOption = [...]trace.SpanStartOption{ // made once: each would be an allocation
	Internal: trace.WithSpanKind(Internal), Server: trace.WithSpanKind(Server), Client: trace.WithSpanKind(Client),
}

// Span is a span, or nothing: the zero value takes all calls and does nothing.
type Span struct{ span trace.Span }

// Current gives the innermost span that ctx is under and that Start began; it may be nothing.
func (t *Tracer) Current(ctx context.Context) Span {
	if t == nil || t.spans == nil {
		return Span{}
	}
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// Recording reports whether the span is one. Ask before gathering what Set and Event take.
func (s Span) Recording() bool { return s.span != nil }

// Rename gives the span another name, one of few.
func (s Span) Rename(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Set adds attributes.
func (s Span) Set(attrs ...Attr) {
	if s.span != nil {
		s.span.SetAttributes(attrs...)
	}
}

// Event notes that something happened now.
func (s Span) Event(name string, attrs ...Attr) {
	if s.span != nil {
		s.span.AddEvent(name, trace.WithAttributes(attrs...))
	}
}

// End ends the span. An error becomes its status, and the fault's code the attribute error.type.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		code, text := describe(err)
		s.span.SetAttributes(attribute.String("error.type", code))
		s.span.SetStatus(codes.Error, text)
	}
	s.span.End()
}

// describe gives a fault's code and public text; what is no fault has neither.
func describe(err error) (code, text string) {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f.Code, f.Detail
	case errors.Is(err, context.Canceled):
		return "client_closed", "the caller went away"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded", "the time was over"
	}
	return "internal", "the log has the cause"
}
