package kserve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// httpCodes is a table of failures as the gateway has one.
func httpCodes(err error) (Code, string, time.Duration) {
	var f *fault.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Code{HTTP: 504}, "the time was over", 0
	case errors.Is(err, context.Canceled):
		return Code{HTTP: 499}, "gone", 0
	case !errors.As(err, &f):
		return Code{HTTP: 500}, "the gateway failed", 0
	}
	status := map[fault.Kind]int{fault.Internal: 500, fault.Invalid: 400, fault.NotFound: 404, fault.TooLarge: 413, fault.Unsupported: 501, fault.MethodNotAllowed: 405,
		fault.Conflict: 409, fault.Forbidden: 403, fault.Busy: 429, fault.Canceled: 499, fault.Timeout: 504, fault.Upstream: 502, fault.Contract: 502,
		fault.Unavailable: 503}
	return Code{HTTP: status[f.Kind]}, f.Detail, f.RetryAfter
}

// httpRig is a server over HTTP with fakes behind it.
type httpRig struct {
	*rig
	side        *httpSide
	url         string
	client      *http.Client
	ran         atomic.Int32 // requests that came as far as the model
	connections atomic.Int32 // that callers have made
	last        atomic.Pointer[backend.Request]
}

func newHTTPRig(tb testing.TB, admin bool, change func(*Deps)) *httpRig {
	tb.Helper()
	h := &httpRig{rig: newRig(tb, func(d *Deps) {
		d.Codes = httpCodes
		if change != nil {
			change(d)
		}
	})}
	h.runner.pass = func(_ context.Context, r *backend.Request) (*pipeline.Passed, error) {
		if err := sound(r); err != nil {
			return nil, err
		}
		h.ran.Add(1)
		h.last.Store(r)
		return &pipeline.Passed{Response: echo(r), Timings: []pipeline.Timing{{Stage: "infer", Duration: 1500 * time.Microsecond}}}, nil
	}
	h.side = h.HTTP(admin).(*httpSide)
	server := httptest.NewUnstartedServer(h.side)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.connections.Add(1)
		}
	}
	server.Start()
	h.url = server.URL
	transport := &http.Transport{DisableCompression: true}
	h.client = &http.Client{Transport: transport}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	return h
}

// httpReply is an answer, read to its end.
type httpReply struct {
	status int
	header http.Header
	body   []byte
}

// do asks; headers are pairs.
func (h *httpRig) do(tb testing.TB, method, path string, body []byte, headers ...string) httpReply {
	tb.Helper()
	return ask1(tb, h.client, method, h.url+path, body, headers...)
}

func ask1(tb testing.TB, client *http.Client, method, url string, body []byte, headers ...string) httpReply {
	tb.Helper()
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(tb.Context(), method, url, in)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("%s %s: %v", method, url, err)
	}
	return httpReply{res.StatusCode, res.Header, out}
}

// infer asks model echo with JSON.
func (h *httpRig) infer(tb testing.TB, json string, headers ...string) httpReply {
	tb.Helper()
	return h.do(tb, "POST", "/v2/models/echo/infer", []byte(json), headers...)
}

// want fails the test unless the answer is this one.
func (r httpReply) want(tb testing.TB, status int, body string) {
	tb.Helper()
	if r.status != status || string(r.body) != body {
		tb.Errorf("got %d %s\nwant %d %s", r.status, r.body, status, body)
	}
}

// wantError fails the test unless the answer is Triton's JSON for an error that says this.
func (r httpReply) wantError(tb testing.TB, status int, say string) {
	tb.Helper()
	body := string(r.body)
	if r.status != status || !strings.HasPrefix(body, `{"error":"`) || !strings.HasSuffix(body, `"}`) || !strings.Contains(body, say) || r.header.Get("Content-Type") != "application/json" {
		tb.Errorf("got %d %s %q, want %d with %q", r.status, body, r.header.Get("Content-Type"), status, say)
	}
}

const goodJSON = `{"inputs":[{"name":"IN","shape":[2],"datatype":"FP32","data":[1,2.5]}]}`

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(tb testing.TB, s string) int {
	tb.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
