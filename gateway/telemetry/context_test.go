package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

func TestTheContextIsHandedOn(t *testing.T) {
	if Outgoing(context.Background()) != nil {
		t.Error("headers without a trace")
	}
	for _, parent := range []string{sampled, unsampled} {
		ctx := under(parent)
		if got := Outgoing(ctx); len(got) != 2 || got["traceparent"] != parent || got["tracestate"] != "a=1" {
			t.Errorf("as it came: %v", got)
		}
		if id := Sampled(ctx); (id == parentID) != (parent == sampled) || id != "" && id != parentID {
			t.Errorf("%s: %q", parent, id)
		}
	}
	tracer, _ := recorder(t, 0)
	ctx, span := tracer.Start(under(sampled), "x", Server)
	defer span.End(nil)
	got := Outgoing(ctx)["traceparent"]
	if !strings.HasPrefix(got, "00-"+parentID+"-") || strings.Contains(got, parentSpan) || !strings.HasSuffix(got, "-01") {
		t.Errorf("below a span: %s", got)
	}
}

func TestLogLinesNameTheTrace(t *testing.T) {
	var l lines
	log := slog.New(LogHandler(slog.NewJSONHandler(&l, nil)))
	log.InfoContext(context.Background(), "none")
	log.With("a", 1).InfoContext(under(unsampled), "one")
	log.WithGroup("g").InfoContext(under(sampled), "two", "b", 2)
	got := strings.Split(strings.TrimSpace(l.String()), "\n")
	if strings.Contains(got[0], "trace_id") {
		t.Error(got[0])
	}
	if !strings.HasSuffix(got[1], `"msg":"one","a":1,"trace_id":"`+parentID+`","span_id":"`+parentSpan+`"}`) {
		t.Error(got[1])
	}
	if !strings.Contains(got[2], `"g":{"b":2,"trace_id":"`+parentID) {
		t.Error(got[2])
	}
}

func FuzzExtract(f *testing.F) {
	for _, text := range []string{sampled, unsampled, "", "00", "ff-" + parentID + "-" + parentSpan + "-01", "01-" + parentID + "-" + parentSpan + "-01-more",
		"00-" + strings.Repeat("0", 32) + "-" + parentSpan + "-01", strings.ToUpper(sampled), sampled + "-x", "00-" + parentID + "-" + parentSpan + "-zz", "\x00-é"} {
		f.Add(text, "a=1,b=2")
		f.Add(text, strings.Repeat("x=y,", 100))
	}
	f.Fuzz(func(t *testing.T, parent, state string) {
		ctx := Extract(context.Background(), func(key string) string {
			if key == "traceparent" {
				return parent
			}
			return state
		})
		c := trace.SpanContextFromContext(ctx)
		if !c.IsValid() {
			if Outgoing(ctx) != nil {
				t.Fatal("an invalid context is handed on")
			}
			return
		}
		if !c.IsRemote() || len(parent) < len(sampled) || !strings.Contains(parent, c.TraceID().String()) {
			t.Fatalf("%q became %+v", parent, c)
		}
		out := Outgoing(ctx)["traceparent"]
		if len(out) != len(sampled) || strings.ContainsAny(out, "\r\n\x00") {
			t.Fatalf("%q", out)
		}
	})
}
