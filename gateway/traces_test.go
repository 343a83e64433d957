package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/telemetry"
	"triton-gateway/gateway/telemetry/otlptest"
	"triton-gateway/internal/fault"
)

const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	traceParent = "00-" + traceID + "-b7ad6b7169203331-01"
)

// traced is a rig whose spans go to a collector. The function ends the tracer and gives the n spans that have come.
func traced(t *testing.T, sample float64) (*rig, func(n int) map[string]otlptest.Span) {
	t.Helper()
	c := otlptest.Start()
	t.Cleanup(c.Close)
	r := newRig(t)
	tracer, err := telemetry.New(telemetry.Config{OTLP: c.URL(), Sample: sample}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Close() })
	r.metrics.tracer = tracer
	r.server.log = slog.New(telemetry.LogHandler(r.server.log.Handler()))
	r.tell()
	r.http = r.handler()
	return r, func(n int) map[string]otlptest.Span {
		t.Helper()
		if err := tracer.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		byName := map[string]otlptest.Span{}
		list := c.Spans(ctx, n)
		for _, s := range list {
			byName[s.Name] = s
		}
		if len(list) != n {
			t.Errorf("%d spans, want %d: %+v", len(list), n, list)
		}
		return byName
	}
}

func TestARequestIsOneTrace(t *testing.T) {
	r, spans := traced(t, 0)
	r.do(t, "POST", "/v1/models/shapes/infer?top_k=1", "image/png", string(picture(1)), "Traceparent", traceParent, "X-Request-Id", "mine")
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(2))) // not sampled
	r.do(t, "GET", "/readyz", "", "", "Traceparent", traceParent)               // never traced
	list := spans(3)
	root, stage := list["POST /v1/models/:model/infer"], list["infer"]
	if root.Trace != traceID || root.Parent != "b7ad6b7169203331" || root.Kind != "server" || root.Failed {
		t.Errorf("%+v", root)
	}
	for key, want := range map[string]any{"http.route": "/v1/models/:model/infer", "http.request.method": "POST", "http.response.status_code": int64(200),
		"url.path": "/v1/models/shapes/infer", "gateway.model": "shapes", "gateway.cache": "miss", "gateway.request_id": "mine"} {
		if root.Attributes[key] != want {
			t.Errorf("%s is %v, want %v", key, root.Attributes[key], want)
		}
	}
	if stage.Trace != traceID || stage.Parent != root.ID || stage.Attributes["gateway.model"] != "shapes" || list["decode"].Parent != root.ID {
		t.Errorf("%+v", stage)
	}
	var first map[string]any
	if err := json.NewDecoder(r.log).Decode(&first); err != nil || first["trace_id"] != traceID || first["span_id"] != root.ID {
		t.Errorf("%v, %v", first, err)
	}
	// The exemplar is only in the OpenMetrics form.
	_, page := r.do(t, "GET", "/metrics", "", "", "Accept", "application/openmetrics-text")
	if !strings.Contains(page, `# {trace_id="`+traceID+`"}`) {
		t.Error("no exemplar")
	}
}

func TestFailuresOfSpans(t *testing.T) {
	r, spans := traced(t, 1)
	r.runner.before = func(context.Context, *pipeline.Request) (bool, error) {
		return false, fault.New(fault.Upstream, "upstream_error", "broken").Wrap(fmt.Errorf("secret cause"))
	}
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	r.do(t, "GET", "/nowhere", "", "")
	list := spans(3)
	if s := list["POST /v1/models/:model/infer"]; !s.Failed || s.Error != "broken" || s.Attributes["error.type"] != "upstream_error" || s.Attributes["gateway.code"] != "upstream_error" {
		t.Errorf("%+v", s)
	}
	if s := list["accept"]; !s.Failed {
		t.Errorf("%+v", s)
	}
	if s := list["HTTP"]; s.Failed || s.Attributes["http.response.status_code"] != int64(404) {
		t.Errorf("%+v", s)
	}
}

func TestSharedAnswersAreMarked(t *testing.T) {
	r, spans := traced(t, 1)
	ctx, span := r.metrics.tracer.Start(t.Context(), "HTTP", telemetry.Server)
	r.metrics.observer().Shared(ctx)
	r.metrics.observer().Shared(context.Background())
	span.End(nil)
	if got := spans(1)["HTTP"].Events; len(got) != 1 || got[0] != "shared" {
		t.Errorf("%q", got)
	}
}

func TestSpansOfGRPCCalls(t *testing.T) {
	r, spans := traced(t, 0)
	header := func(key string) string { return map[string]string{"traceparent": traceParent}[key] }
	_, end := r.metrics.trace(t.Context(), "ModelInfer", header)
	end(kserve.Code{GRPC: 14}, "nobody is there")
	_, end = r.metrics.trace(t.Context(), "ModelStreamInfer", header)
	end(kserve.Code{GRPC: 3}, "wrong")
	if _, end := r.metrics.trace(t.Context(), "ModelInfer", func(string) string { return "" }); end != nil {
		t.Error("a trace that nobody asked for")
	}
	list := spans(2)
	if s := list["inference.GRPCInferenceService/ModelInfer"]; !s.Failed || s.Trace != traceID || s.Attributes["rpc.response.status_code"] != "UNAVAILABLE" || s.Kind != "server" {
		t.Errorf("%+v", s)
	}
	if s := list["inference.GRPCInferenceService/ModelStreamInfer"]; s.Failed || s.Attributes["rpc.response.status_code"] != "INVALID_ARGUMENT" {
		t.Errorf("%+v", s)
	}
}

func TestSpansOfTries(t *testing.T) {
	r, spans := traced(t, 1)
	if _, end := r.metrics.attempt(t.Context(), "triton-a:8001"); end == nil {
		t.Error("nothing to call where there is no trace")
	}
	ctx, request := r.metrics.tracer.Start(t.Context(), "request", telemetry.Server)
	inner, end := r.metrics.attempt(ctx, "triton-a:8001")
	if header := telemetry.Outgoing(inner)["traceparent"]; header == telemetry.Outgoing(ctx)["traceparent"] || header == "" {
		t.Errorf("the try hands on %q", header)
	}
	end(fault.New(fault.Unavailable, "backend_unavailable", "away"))
	request.End(nil)
	list := spans(2)
	if s := list["triton"]; !s.Failed || s.Parent != list["request"].ID || s.Kind != "client" || s.Attributes["server.address"] != "triton-a:8001" || s.Attributes["error.type"] != "backend_unavailable" {
		t.Errorf("%+v", s)
	}
}

// Neither log nor spans nor metrics hold what callers and operators have to keep for themselves.
func TestSecretsStayInside(t *testing.T) {
	r, spans := traced(t, 1)
	secrets := []string{"hunter2", "PIXELSPIXELS", "5.123456", "topsecret"}
	r.do(t, "POST", "/v1/models/shapes/infer?api_key=topsecret", "image/png", "PIXELSPIXELS", "Authorization", "Bearer hunter2", "X-Api-Key", "hunter2", "Cookie", "hunter2")
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", "PIXELSPIXELS", "Authorization", "Bearer hunter2")
	r.do(t, "POST", "/v1/models/iris/infer", "application/json", `{"row":[5.123456,1,2,3]}`, "X-Api-Key", "hunter2")
	r.do(t, "GET", "/v1/models/iris/infer?sepal_length=5.123456", "", "")
	r.do(t, "POST", "/v1/models/shapes/infer", "application/json", `{"image":{"base64":"PIXELSPIXELS"},"x":`)
	_, page := r.do(t, "GET", "/metrics", "", "")
	r.do(t, "GET", "/metrics", "", "")
	all := r.log.String() + page
	if err := r.metrics.tracer.Close(); err != nil {
		t.Fatal(err)
	}
	all += fmt.Sprintf("%+v", spans(int(r.metrics.tracer.Stats().Sent)))
	for _, s := range secrets {
		if i := strings.Index(all, s); i >= 0 {
			t.Errorf("%s: ...%s...", s, all[max(0, i-100):i+len(s)])
		}
	}
	if !strings.Contains(all, "/v1/models/iris/infer") || strings.Count(r.log.String(), "trace_id") < 5 {
		t.Errorf("little was logged: %s", r.log)
	}
}

func TestAnAbortedAnswerIsCountedAndLogged(t *testing.T) {
	r := newRig(t)
	r.runner.before = func(context.Context, *pipeline.Request) (bool, error) { panic("late") }
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", "x")
	_, page := r.do(t, "GET", "/metrics", "", "")
	if !strings.Contains(page, "gateway_http_requests_in_flight 1") || !strings.Contains(page, `code="500",method="POST"`) {
		t.Error("the request is still in flight")
	}
}
