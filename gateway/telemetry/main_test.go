package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that several may write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// recorder is a Tracer whose spans stay here. The function gives those that have ended.
func recorder(t *testing.T, sample float64) (*Tracer, func() tracetest.SpanStubs) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	tracer := &Tracer{}
	tracer.start(Config{OTLP: "http://unused", Sample: sample, Version: "1.2.3"}, newQueue(kept, "memory", time.Second, new(lines).logger()))
	t.Cleanup(func() {
		if err := tracer.Close(); err != nil {
			t.Error(err)
		}
	})
	return tracer, func() tracetest.SpanStubs {
		if err := tracer.queue.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return kept.GetSpans()
	}
}

// header makes a getter of one traceparent.
func header(parent string) func(string) string {
	return func(key string) string { return map[string]string{"traceparent": parent, "tracestate": "a=1"}[key] }
}

const (
	parentID   = "0af7651916cd43dd8448eb211c80319c"
	parentSpan = "b7ad6b7169203331"
	sampled    = "00-" + parentID + "-" + parentSpan + "-01"
	unsampled  = "00-" + parentID + "-" + parentSpan + "-00"
)

func under(parent string) context.Context { return Extract(context.Background(), header(parent)) }
