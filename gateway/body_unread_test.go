package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/fault"
)

// fullRig refuses every call.
func fullRig(t testing.TB) (*rig, *httptest.Server) {
	t.Helper()
	r := newRig(t)
	r.runner.refuse = func(context.Context, string, int64) error {
		return fault.New(fault.Busy, "queue_full", "full; raise limits.model_items").After(2500 * time.Millisecond)
	}
	r.bodies.limit = 64 << 20
	server := httptest.NewServer(r.http)
	t.Cleanup(server.Close)
	return r, server
}

func head(size string, more ...string) string {
	return "POST /v1/models/shapes/infer HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n" + size + "\r\n" + strings.Join(append(more, ""), "\r\n") + "\r\n"
}

func checkRefused(t *testing.T, res *http.Response, body string, closing bool) {
	t.Helper()
	if p := decode[problem](t, body); res.StatusCode != 429 || p.Code != "queue_full" || res.Header.Get("Retry-After") != "3" || res.Close != closing || !p.Retryable {
		t.Errorf("%d, Retry-After %q, close %v, want %v: %s", res.StatusCode, res.Header.Get("Retry-After"), res.Close, closing, body)
	}
}

func TestARefusalComesBeforeTheBody(t *testing.T) {
	r, server := fullRig(t)
	conn := dial(t, server)
	for range 3 {
		// No byte of the body is sent before the answer is here; then all of it, and the connection is good for the next request.
		fmt.Fprint(conn, head("Content-Length: 1000000"))
		res, body := conn.answer(t)
		checkRefused(t, res, body, false)
		if _, err := conn.Write(make([]byte, 1_000_000)); err != nil {
			t.Fatal(err)
		}
	}
	if r.runner.count() != 0 || r.budget.Stats().Used != 0 || r.runner.admitted.Load() != 0 {
		t.Errorf("%d calls, %d bytes, %d admitted", r.runner.count(), r.budget.Stats().Used, r.runner.admitted.Load())
	}
}

func TestWhoWaitsForContinueIsRefusedInstead(t *testing.T) {
	_, server := fullRig(t)
	conn := dial(t, server)
	fmt.Fprint(conn, head("Content-Length: 1000000", "Expect: 100-continue"))
	res, body := conn.answer(t)
	checkRefused(t, res, body, true)
	if _, err := conn.ReadByte(); err != io.EOF {
		t.Errorf("the connection is not closed: %v", err)
	}
}

func TestTheRestOfALargeBodyIsNotAwaited(t *testing.T) {
	_, server := fullRig(t)
	for name, size := range map[string]string{"large": fmt.Sprintf("Content-Length: %d", unreadLimit+1), "of unknown size": "Transfer-Encoding: chunked"} {
		conn := dial(t, server)
		fmt.Fprint(conn, head(size))
		res, body := conn.answer(t)
		if checkRefused(t, res, body, true); t.Failed() {
			t.Error(name)
		}
	}
}

// What comes after the time for the rest of a refused body must not be taken for a request.
func TestTheRestOfARefusedBodyIsNoRequest(t *testing.T) {
	r, server := fullRig(t)
	conn := dial(t, server)
	fmt.Fprint(conn, head("Content-Length: 1000"))
	res, body := conn.answer(t)
	checkRefused(t, res, body, false)
	if _, err := conn.ReadByte(); err == nil {
		t.Fatalf("%v, want the end of the connection", err)
	}
	fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := conn.ReadByte(); err == nil {
		t.Error("the rest of a body was answered")
	}
	server.Close() // waits for the log line
	if strings.Contains(r.log.String(), "/livez") {
		t.Error("the rest of a body was taken for a request")
	}
}

// watched is a body that knows whether the answer had been sent when it was first read.
type watched struct {
	*bytes.Reader
	w     *httptest.ResponseRecorder
	early bool
}

func (b *watched) Read(p []byte) (int, error) {
	b.early = b.early || !b.w.Flushed
	return b.Reader.Read(p)
}
func (b *watched) Close() error { return nil }

// Whatever can be said without the body is said before it is read.
func TestEarlyAnswersReadNothingFirst(t *testing.T) {
	r, _ := fullRig(t)
	for name, path := range map[string]string{"full": "/v1/models/shapes/infer", "no such model": "/v1/models/nobody/infer", "bad version": "/v1/models/shapes/infer?version=", "no such path": "/v1/nothing"} {
		w := httptest.NewRecorder()
		body := &watched{Reader: bytes.NewReader(picture(1)), w: w}
		request := httptest.NewRequest("POST", path, body)
		request.ContentLength = int64(body.Len())
		r.http.ServeHTTP(w, request)
		if w.Code < 400 || body.early || body.Len() != 0 || w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
			t.Errorf("%s: %d, read before the answer: %v, %d bytes left, %v", name, w.Code, body.early, body.Len(), w.Header())
		}
	}
	r.runner.refuse = nil
	r.runner.full = fault.New(fault.Busy, "queue_full", "full; raise limits.workers").After(time.Second)
	checkProblem(t, r, "decoders", 429, "queue_full", "", "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	if res, body := r.do(t, "POST", "/v1/models/iris/infer", "application/json", `{"row":[1,2,3,4]}`); res.StatusCode != 200 {
		t.Errorf("rows wait for decoders: %d %s", res.StatusCode, body)
	}
}

// BenchmarkRefused compares what a refusal of 602 KB costs with what reading them costs: over a connection whose client sends the body before it
// reads the answer, and with a client that waits for 100 Continue.
func BenchmarkRefused(b *testing.B) {
	body := bytes.Repeat([]byte{0xff, 0xd8, 'x'}, 602112/3)
	full, _ := fullRig(b)
	full.server.log = quietLog()
	for _, c := range []struct {
		name    string
		handler http.Handler
		expect  string
		status  int
	}{{"taken", hitRig(b).http, "", 200}, {"refused", full.http, "", 429}, {"refused-expect", full.http, "100-continue", 429}} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			client := server.Client()
			client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
			b.ReportAllocs()
			before := processTime(b)
			for b.Loop() {
				request, _ := http.NewRequest("POST", server.URL+"/v1/models/shapes/infer", bytes.NewReader(body))
				request.Header = http.Header{"Content-Type": {"image/jpeg"}, "Expect": {c.expect}}
				if c.expect == "" {
					request.Header.Del("Expect")
				}
				res, err := client.Do(request)
				if err != nil || res.StatusCode != c.status {
					b.Fatal(err, res)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
