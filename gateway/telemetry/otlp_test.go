package telemetry

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"triton-gateway/gateway/telemetry/otlptest"
	"triton-gateway/internal/fault"
)

// service takes OTLP over gRPC.
type service struct {
	collector.UnimplementedTraceServiceServer
	to  *otlptest.Collector
	key chan []string
}

func (s service) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.key <- md.Get("x-key")
	s.to.Take(r)
	return &collector.ExportTraceServiceResponse{}, nil
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// check sends a tree of two and looks at what came.
func check(t *testing.T, config Config, c *otlptest.Collector) {
	t.Helper()
	log := new(lines)
	config.Sample, config.Version, config.Headers = 1, "1.2.3", map[string]string{"x-key": "hunter2"}
	tracer, err := New(config, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, root := tracer.Start(under(sampled), "HTTP", Server)
	_, stage := tracer.Start(ctx, "infer", Client)
	stage.End(fault.New(fault.Upstream, "upstream_error", "broken"))
	root.End(nil)
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
	list := c.Spans(soon(t), 2)
	if len(list) != 2 {
		t.Fatalf("%d spans; %s", len(list), log)
	}
	inner, outer := list[0], list[1]
	if inner.Name != "infer" || inner.Kind != "client" || inner.Parent != outer.ID || inner.Trace != parentID || !inner.Failed || inner.Error != "broken" ||
		inner.Attributes["error.type"] != "upstream_error" || inner.Resource["service.name"] != "triton-gateway" {
		t.Errorf("%+v", inner)
	}
	if outer.Parent != parentSpan || outer.State != "a=1" || outer.Kind != "server" || outer.Failed || outer.End.Before(inner.End) || inner.Start.Before(outer.Start) {
		t.Errorf("%+v", outer)
	}
	if s := tracer.Stats(); s != (Stats{Sent: 2}) {
		t.Errorf("%+v", s)
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Error(log)
	}
}

func TestOverHTTP(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-foreign=1") // the library reads the environment; the settings alone count
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	c := otlptest.Start()
	defer c.Close()
	check(t, Config{OTLP: c.URL()}, c)
	if h := c.Headers(); len(h) != 1 || h[0].Get("X-Key") != "hunter2" || h[0].Get("X-Foreign") != "" {
		t.Errorf("%v", h)
	}
}

func TestOverGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := otlptest.Start()
	defer c.Close()
	s := service{to: c, key: make(chan []string, 1)}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	check(t, Config{OTLP: "grpc://" + l.Addr().String()}, c)
	if key := <-s.key; len(key) != 1 || key[0] != "hunter2" {
		t.Errorf("%v", key)
	}
	server.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestACollectorThatRefusesOrIsGone(t *testing.T) {
	c := otlptest.Start()
	defer c.Close()
	c.Refuse(http.StatusForbidden)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	_ = l.Close()
	for _, at := range []string{c.URL(), "http://" + gone, "grpc://" + gone} {
		log := new(lines)
		tracer, err := New(Config{OTLP: at, Sample: 1}, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		tracer.spend(5)
		if err := tracer.Close(); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		if s := tracer.Stats(); s.Failed != 5 || strings.Count(log.String(), "cannot be sent") != 1 {
			t.Errorf("%s: %+v, %s", at, s, log)
		}
	}
}
