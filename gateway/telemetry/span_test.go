package telemetry

import (
	"context"
	"errors"
	"math"
	"testing"

	"go.opentelemetry.io/otel/codes"

	"triton-gateway/internal/fault"
)

func TestSpansOfOneRequestAreOneTree(t *testing.T) {
	tracer, spans := recorder(t, 1)
	ctx, root := tracer.Start(context.Background(), "HTTP", Server)
	inner, stage := tracer.Start(ctx, "infer", Internal)
	stage.Set(String("gateway.model", "shapes"), Int("n", 3), Float("s", .5))
	if tracer.Current(inner) != stage || tracer.Current(ctx) != root {
		t.Error("Current is another span")
	}
	stage.End(nil)
	root.Event("shared")
	root.Rename("POST /v1/models/:model/infer")
	root.End(fault.New(fault.Unavailable, "backend_unavailable", "nobody is there").Wrap(errors.New("dial 10.0.0.1")))
	list := spans()
	if len(list) != 2 {
		t.Fatalf("%d spans", len(list))
	}
	first, last := list[0], list[1]
	if first.Name != "infer" || first.Parent.SpanID() != last.SpanContext.SpanID() || first.SpanContext.TraceID() != last.SpanContext.TraceID() || first.Status.Code != codes.Unset {
		t.Errorf("%+v", first)
	}
	if last.Name != "POST /v1/models/:model/infer" || last.Parent.IsValid() || last.SpanKind != Server || len(last.Events) != 1 || last.Events[0].Name != "shared" {
		t.Errorf("%+v", last)
	}
	if last.Status.Code != codes.Error || last.Status.Description != "nobody is there" || len(last.Attributes) != 1 || last.Attributes[0] != String("error.type", "backend_unavailable") {
		t.Errorf("%+v %+v", last.Status, last.Attributes)
	}
	if got := first.Attributes; len(got) != 3 || got[0].Value.AsString() != "shapes" || got[1].Value.AsInt64() != 3 || got[2].Value.AsFloat64() != .5 {
		t.Errorf("%+v", got)
	}
	resource := map[string]string{}
	for _, a := range first.Resource.Attributes() {
		resource[string(a.Key)] = a.Value.AsString()
	}
	if resource["service.name"] != "triton-gateway" || resource["service.version"] != "1.2.3" {
		t.Errorf("%v", resource)
	}
}

func TestErrorsWithoutAFault(t *testing.T) {
	for err, want := range map[error]string{context.Canceled: "client_closed", context.DeadlineExceeded: "deadline_exceeded", errors.New("secret"): "internal"} {
		code, text := describe(err)
		if code != want || text == "secret" {
			t.Errorf("%v: %s, %s", err, code, text)
		}
	}
}

func TestWhoseTraceIsSampled(t *testing.T) {
	for _, c := range []struct {
		name, parent string
		share        float64
		kind         Kind
		want         bool
	}{
		{"all", "", 1, Server, true}, {"none", "", 0, Server, false}, {"no root but a server's", "", 1, Internal, false},
		{"the caller's", sampled, 0, Server, true}, {"not the caller's", unsampled, 1, Server, false}, {"below the caller's", sampled, 0, Internal, true},
		{"malformed", "00-xyz", 0, Server, false}, {"malformed counts as none", "00-xyz", 1, Server, true},
	} {
		tracer, spans := recorder(t, c.share)
		ctx := under(c.parent)
		got, span := tracer.Start(ctx, "x", c.kind)
		if span.Recording() != c.want || (got == ctx) == c.want {
			t.Errorf("%s: %v", c.name, span.Recording())
		}
		span.End(nil)
		list := spans()
		if c.parent == sampled && (len(list) != 1 || list[0].Parent.SpanID().String() != parentSpan || list[0].SpanContext.TraceID().String() != parentID ||
			list[0].SpanContext.TraceState().String() != "a=1") {
			t.Errorf("%s: %+v", c.name, list)
		}
	}
}

func TestTheShareIsKept(t *testing.T) {
	tracer, _ := recorder(t, .1)
	const n = 20_000
	count := 0
	for range n {
		if _, span := tracer.Start(context.Background(), "x", Server); span.Recording() {
			count++
		}
	}
	// Six standard deviations of a binomial distribution.
	if d := 6 * math.Sqrt(n*.1*.9); math.Abs(float64(count)-.1*n) > d {
		t.Errorf("%d of %d", count, n)
	}
}

func TestNothingCostsNothing(t *testing.T) {
	off, err := New(Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rare, _ := recorder(t, 0)
	ctx := context.Background()
	plain, quiet := ctx, under(unsampled)
	for name, tracer := range map[string]*Tracer{"nil": nil, "off": off, "rare": rare} {
		for _, ctx := range []context.Context{plain, quiet} {
			if n := testing.AllocsPerRun(100, func() {
				_, span := tracer.Start(ctx, "x", Server)
				tracer.Current(ctx).Rename("y")
				span.End(nil)
			}); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
		Span{}.Event("x")
		Span{}.Set(String("a", "b"))
		if tracer.Stats() != (Stats{}) {
			t.Errorf("%s: %+v", name, tracer.Stats())
		}
		if tracer != rare && tracer.Close() != nil {
			t.Errorf("%s: Close", name)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	off := &Tracer{}
	rare := &Tracer{}
	q := newQueue(nil, "", 0, nil)
	rare.start(Config{Sample: 0}, q)
	defer func() { close(q.stop); <-q.done }()
	for name, tracer := range map[string]*Tracer{"off": off, "unsampled": rare} {
		b.Run(name, func(b *testing.B) {
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_, span := tracer.Start(ctx, "x", Server)
				span.End(nil)
			}
		})
	}
}
