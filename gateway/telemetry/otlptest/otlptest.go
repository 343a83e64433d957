// Package otlptest is a collector of traces for tests and benchmarks: it takes OTLP over HTTP on a free port of this machine and shows the spans
// that came. It stands in for a real collector, of which there is none among the tests' parts.
package otlptest

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one span as it was sent.
type Span struct {
	Name, Kind           string // kind: internal, server or client
	Trace, ID, Parent    string // hex digits; Parent is "" for a root
	Error                string // text of the status, "" where it is no error
	Failed               bool
	Attributes, Resource map[string]any // string, int64, float64 or bool
	Events               []string
	Start, End           time.Time
	State                string // tracestate
}

// Collector keeps what it is sent. It is safe for concurrent use.
type Collector struct {
	server *httptest.Server

	mu       sync.Mutex
	spans    []Span
	count    int
	requests []http.Header
	came     chan struct{} // closed and made anew when spans come
	hold     chan struct{} // where set, requests wait for it
	status   int           // where set, requests are answered with it
	forget   bool
}

// Start makes a collector that listens. Close it.
func Start() *Collector {
	c := &Collector{came: make(chan struct{})}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	return c
}

// URL is http://host:port.
func (c *Collector) URL() string { return c.server.URL }

// Close stops listening.
func (c *Collector) Close() {
	c.Hang(false)
	c.server.Close()
}

// Hang makes requests wait until it is called with false.
func (c *Collector) Hang(hang bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case hang && c.hold == nil:
		c.hold = make(chan struct{})
	case !hang && c.hold != nil:
		close(c.hold)
		c.hold = nil
	}
}

// Refuse has requests answered with a status; 0 ends that.
func (c *Collector) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// Forget has spans counted, but not kept.
func (c *Collector) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget = true
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	hold, status := c.hold, c.status
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.requests = append(c.requests, r.Header)
	c.mu.Unlock()
	c.Take(&request)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Take keeps the spans of a request that came in another way.
func (c *Collector) Take(request *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range request.GetResourceSpans() {
		for _, scope := range r.GetScopeSpans() {
			c.count += len(scope.GetSpans())
			for _, s := range scope.GetSpans() {
				if !c.forget {
					c.spans = append(c.spans, spanOf(s, attributes(r.GetResource().GetAttributes())))
				}
			}
		}
	}
	close(c.came)
	c.came = make(chan struct{})
}

func spanOf(s *trace.Span, resource map[string]any) Span {
	out := Span{Name: s.GetName(), Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Attributes: attributes(s.GetAttributes()), Resource: resource, State: s.GetTraceState(),
		Start: time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano()))}
	out.Kind = map[trace.Span_SpanKind]string{trace.Span_SPAN_KIND_INTERNAL: "internal", trace.Span_SPAN_KIND_SERVER: "server", trace.Span_SPAN_KIND_CLIENT: "client"}[s.GetKind()]
	if s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR {
		out.Failed, out.Error = true, s.GetStatus().GetMessage()
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, e.GetName())
	}
	return out
}

func attributes(list []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.GetKey()] = v.IntValue
		case *common.AnyValue_DoubleValue:
			out[a.GetKey()] = v.DoubleValue
		case *common.AnyValue_BoolValue:
			out[a.GetKey()] = v.BoolValue
		}
	}
	return out
}

// Spans waits until at least n have come, and gives all. It returns what there is when ctx ends.
func (c *Collector) Spans(ctx context.Context, n int) []Span {
	for {
		c.mu.Lock()
		list, came := append([]Span(nil), c.spans...), c.came
		c.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-came:
		case <-ctx.Done():
			return list
		}
	}
}

// Count is how many spans have come.
func (c *Collector) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Headers are those of the requests that came.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]http.Header(nil), c.requests...)
}
