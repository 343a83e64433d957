package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
)

func TestParseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Second, "0.25": 250 * time.Millisecond, "1e-3": time.Millisecond, "300ms": 300 * time.Millisecond, "1m30s": 90 * time.Second,
		"1e-12": 1, "1e300": math.MaxInt64, "9223372036854775807": math.MaxInt64,
	} {
		if got, ok := parseTimeout(text); !ok || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "0", "-1", "0s", "-5ms", "NaN", "Inf", "-Inf", "soon", "5 s", "1,5", "1e400"} {
		if got, ok := parseTimeout(text); ok {
			t.Errorf("%q was taken for %v", text, got)
		}
	}
}

func FuzzParseTimeout(f *testing.F) {
	for _, seed := range []string{"1", "0.5", "300ms", "1e309", "-1", "0x1p-2", "1h1h", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := parseTimeout(text); ok && d <= 0 {
			t.Errorf("%q gives %v", text, d)
		}
	})
}

// timesLeft notes how much time each request has.
func timesLeft(r *rig) *[]time.Duration {
	var left []time.Duration
	r.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		end, limited := ctx.Deadline()
		if !limited {
			return true, fmt.Errorf("a request without a deadline")
		}
		left = append(left, time.Until(end))
		return false, nil
	}
	return &left
}

func TestTheRemainingTimeGoesDown(t *testing.T) {
	r := newRig(t, func(d *serverDeps) { d.Limits.Timeout = 10 * time.Minute })
	left := timesLeft(r)
	for _, c := range []struct { // what a busy machine needs for a request is far less than the time between at and most
		header   string
		at, most time.Duration
	}{
		{"", 8 * time.Minute, 10 * time.Minute},
		{"350.5", 4 * time.Minute, 350500 * time.Millisecond},
		{"3m30s", 2 * time.Minute, 210 * time.Second},
		{"3600", 8 * time.Minute, 10 * time.Minute}, // limits.timeout
	} {
		*left = nil
		var header []string
		if c.header != "" {
			header = []string{"X-Request-Timeout", c.header}
		}
		res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)), header...)
		if res.StatusCode != 200 || len(*left) != 1 || (*left)[0] < c.at || (*left)[0] > c.most {
			t.Errorf("X-Request-Timeout %q: %d %s, %v left, want %v to %v", c.header, res.StatusCode, body, *left, c.at, c.most)
		}
		res, body = r.do(t, "GET", "/v1/models/iris/infer?sepal_length=1&sepal_width=1&petal_length=1&petal_width=1", "", "", header...)
		if res.StatusCode != 200 || len(*left) != 2 || (*left)[1] < c.at || (*left)[1] > c.most {
			t.Errorf("GET with X-Request-Timeout %q: %d %s, %v left", c.header, res.StatusCode, body, *left)
		}
	}
}

func TestABadTimeoutIsNamed(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"POST /v1/models/shapes/infer", "GET /v1/models/iris/infer?sepal_length=1", "GET /v1/models/shapes/results/" + strings.Repeat("0", 64)} {
		method, path, _ := strings.Cut(path, " ")
		p := checkProblem(t, r, path, 400, "invalid_request", "header.X-Request-Timeout", method, path, "image/png", string(picture(1)), "X-Request-Timeout", "soon")
		if !strings.Contains(p.Detail, `"soon"`) || !strings.Contains(p.Detail, "300ms") {
			t.Errorf("%s: %s", path, p.Detail)
		}
	}
	request := httptest.NewRequest("POST", "/v1/models/shapes/infer", strings.NewReader(string(picture(1))))
	request.Header["X-Request-Timeout"] = []string{"1", "2"}
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, request)
	if w.Code != 400 || r.runner.count() != 0 {
		t.Errorf("two timeouts: %d %s", w.Code, w.Body)
	}
}

// The time of a request also ends its upload: what comes too late is not decoded.
func TestTheTimeEndsAnUpload(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(r.http)
	defer server.Close()
	conn := dial(t, server)
	fmt.Fprintf(conn, "POST /v1/models/shapes/infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nX-Request-Timeout: 0.2\r\nContent-Length: 1000\r\n\r\nhalf")
	res, body := conn.answer(t)
	if p := decode[problem](t, body); res.StatusCode != http.StatusGatewayTimeout || p.Code != "deadline_exceeded" || !strings.Contains(p.Detail, "before the body was here") || !res.Close {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if r.runner.count() != 0 || r.budget.Stats().Used != 0 {
		t.Error("the request went on")
	}
}

// wire is a connection and what has been read off it.
type wire struct {
	net.Conn
	*bufio.Reader
}

func (w wire) Read(p []byte) (int, error) { return w.Reader.Read(p) }

func dial(t *testing.T, s *httptest.Server) wire {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return wire{conn, bufio.NewReader(conn)}
}

// answer reads one answer.
func (w wire) answer(t *testing.T) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(w.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
