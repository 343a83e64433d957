package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/fault"
)

func TestKServeIsMountedOnBothListeners(t *testing.T) {
	r := newRig(t)
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, path := range []string{"/v2", "/v2/health/live", "/v2/models/a%2Fb/infer?x=1"} {
			if res, body := r.do(t, method, path, "", ""); res.StatusCode != 200 || body != method+" "+path+" admin=false" || res.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: %d %q", method, path, res.StatusCode, body)
			}
		}
	}
	w := httptest.NewRecorder()
	r.adminHandler().ServeHTTP(w, httptest.NewRequest("POST", "/v2/repository/models/m/load", nil))
	if w.Body.String() != "POST /v2/repository/models/m/load admin=true" {
		t.Errorf("admin: %d %s", w.Code, w.Body)
	}
	r.do(t, "POST", "/v2/models/shapes/infer", "", "x")
	if log := r.log.String(); !strings.Contains(log, `"model":"shapes"`) {
		t.Error("the log does not name the model")
	}
	for path, want := range map[string]bool{"/v2": true, "/v2/": true, "/v2/x": true, "/v22": false, "/": false, "/v1/v2": false} {
		if underKServe(path) != want {
			t.Errorf("%s is under KServe: %v", path, !want)
		}
	}
	for path, want := range map[string]string{"/models/m": "m", "/models/m/versions/1/infer": "m", "/models/": "", "/health/live": "", "": ""} {
		if got := modelOf(path); got != want {
			t.Errorf("%q names model %q, want %q", path, got, want)
		}
	}
}

// panicking is a protocol with a bug.
type panicking struct{ fakeProtocol }

func (panicking) HTTP(bool) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })
}

func TestAPanicUnderKServeHasItsForm(t *testing.T) {
	r := newRig(t)
	r.server.kserve = panicking{}
	r.http = r.handler()
	res, body := r.do(t, "GET", "/v2/models/m", "", "")
	if res.StatusCode != 500 || !strings.HasPrefix(body, `{"error":"`) || strings.Contains(body, "a bug") || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestWithGRPCTellsTheCallsApart(t *testing.T) {
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	h := withGRPC(say("grpc"), say("http"))
	for _, c := range []struct {
		major      int
		kind, want string
	}{{2, "application/grpc", "grpc"}, {2, "application/grpc+proto", "grpc"}, {1, "application/grpc", "http"}, {2, "application/json", "http"}, {2, "", "http"}} {
		request := httptest.NewRequest("POST", "/x", nil)
		request.ProtoMajor = c.major
		request.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, request); w.Body.String() != c.want {
			t.Errorf("HTTP/%d %q went to %s", c.major, c.kind, w.Body)
		}
	}
}

func TestConnectionsEndWhileDraining(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(r.http)
	defer server.Close()
	conn := dial(t, server)
	ask := func() *http.Response {
		t.Helper()
		if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, _ := conn.answer(t)
		return res
	}
	if res := ask(); res.StatusCode != 200 || res.Close {
		t.Errorf("before: %d, close %v", res.StatusCode, res.Close)
	}
	r.drain()
	if res := ask(); res.StatusCode != 200 || !res.Close {
		t.Errorf("a request on a connection that is open is answered, and is its last: %d, close %v", res.StatusCode, res.Close)
	}
	if _, err := conn.ReadByte(); err != io.EOF {
		t.Errorf("afterwards: %v", err)
	}
}

func TestEveryKindHasCodes(t *testing.T) {
	for kind := fault.Internal; kind <= fault.Draining; kind++ {
		err := fault.New(kind, "code", "text").After(1500 * time.Millisecond)
		code, text, after := kserveCodes(err)
		if code.HTTP < 400 || code.GRPC == 0 || code.GRPC > 16 || text == "" {
			t.Errorf("kind %d: %+v %q", kind, code, text)
		}
		if kind != fault.Internal && after != 1500*time.Millisecond {
			t.Errorf("kind %d: come again after %v", kind, after)
		}
		if statusOf(err) < 400 {
			t.Errorf("kind %d: status %d", kind, statusOf(err))
		}
	}
	for _, c := range []struct {
		err   error
		code  kserve.Code
		after time.Duration
	}{
		{fault.New(fault.Invalid, "invalid_image", "cut off"), kserve.Code{HTTP: 400, GRPC: 3}, 0},
		{fault.New(fault.Busy, "queue_full", "full"), kserve.Code{HTTP: 429, GRPC: 8}, time.Second},
		{fault.New(fault.Unavailable, "backend_unavailable", "away"), kserve.Code{HTTP: 503, GRPC: 14}, time.Second},
		{fault.New(fault.Unsupported, "unsupported_model", "no"), kserve.Code{HTTP: 501, GRPC: 12}, 0},
		{errors.New("secret"), kserve.Code{HTTP: 500, GRPC: 13}, 0},
		{fault.New(fault.Draining+1, "x", "y"), kserve.Code{HTTP: 500, GRPC: 13}, 0},
	} {
		code, text, after := kserveCodes(c.err)
		if code != c.code || after != c.after || strings.Contains(text, "secret") {
			t.Errorf("%v: %+v, %v, %q", c.err, code, after, text)
		}
	}
}
