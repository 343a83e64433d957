package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

func TestBadStreamRequests(t *testing.T) {
	s := newStreamRig(t, func(c *Streams) { c.Most = 1 })
	good := inputs(1)
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	for _, c := range []struct{ path, kind, body, want string }{
		{"/v1/models/nope/stream", "application/json", good, "404 model_not_found"},
		{"/v1/models/broken/stream", "application/json", good, "503 backend_unavailable"},
		{streamPath + "?top_k=1", "application/json", good, "400 invalid_request"},
		{streamPath + "?aggregate=maybe", "application/json", good, "400 invalid_request"},
		{streamPath + "?%zz", "application/json", good, "400 invalid_request"},
		{streamPath, "", good, "415 unsupported_media_type"},
		{streamPath, "image/png", string(picture(1)), "415 unsupported_media_type"},
		{streamPath, "application/json", "", "400 invalid_request"},
		{streamPath, "application/json", "[]", "400 invalid_request"},
		{streamPath, "application/json", "{}", "400 invalid_request"},
		{streamPath, "application/json", `{"row":{"a":1}}`, "400 invalid_request"},
		{streamPath, "application/json", good + "x", "400 invalid_request"},
		{streamPath, "application/json", `{"inputs":[]}`, "400 invalid_request"},
		{streamPath, "application/json", `{"inputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1,2]}]}`, "400 invalid_request"},
		{streamPath, "application/json", `{"inputs":[{"name":"x","datatype":"FP32","shape":[3],"data":[1,2,3]}]}`, "400 invalid_request"},
		{streamPath, "application/json", `{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":` + deep + `}]}`, "400 invalid_request"},
		{streamPath, "application/json", `{"id":` + deep + `}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"parameters":{"a":[]}}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"parameters":{"a":null}}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"parameters":{"a":1e999}}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"parameters":{"triton_x":1}}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"outputs":[{}]}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"outputs":[{"name":"none"}]}`, "400 invalid_request"},
		{streamPath, "application/json", strings.TrimSuffix(good, "}") + `,"outputs":1}`, "400 invalid_request"},
		{streamPath, "application/json", strings.Repeat(" ", testBodyLimit+1), "413 body_too_large"},
	} {
		res, body := s.do(t, "POST", c.path, c.kind, c.body)
		if p := decode[problemDoc](t, body); fmt.Sprint(res.StatusCode, " ", p.Code) != c.want {
			t.Errorf("%s %.80q: %d %s, want %s", c.path, c.body, res.StatusCode, body, c.want)
		}
	}
	for _, kind := range []string{"", "image/png", "application/x-www-form-urlencoded"} {
		if _, body := s.do(t, "POST", streamPath, kind, good); !strings.Contains(string(body), "send application/json with inputs") || strings.Contains(string(body), "image/") {
			t.Errorf("%q: %s", kind, body)
		}
	}
	for header, value := range map[string]string{"Content-Encoding": "gzip", "X-Request-Timeout": "soon"} {
		if res, body := s.do(t, "POST", streamPath, "application/json", good, header, value); res.StatusCode/100 != 4 {
			t.Errorf("%s: %d %s", header, res.StatusCode, body)
		}
	}
	if n := s.runner.admitted.Load(); n != 0 || s.streams.hub.Stats().Started != 0 {
		t.Errorf("%d places are kept, %+v", n, s.streams.hub.Stats())
	}
	var many strings.Builder
	for i := range 65 {
		fmt.Fprintf(&many, `,"p%d":1`, i)
	}
	if err := readTensors([]byte(`{"inputs":[],"parameters":{`+many.String()[1:]+`}}`), &backend.Request{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("65 parameters: %v", err)
	}
	release := make(chan bool)
	s.model.before = func(context.Context, int) error { <-release; return nil }
	url := s.serve(t)
	in := mustOpen(t, url+streamPath, good, "")
	if res, body := s.do(t, "POST", streamPath, "application/json", good); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a second stream: %d %s", res.StatusCode, body)
	}
	close(release)
	in.rest()
}

func TestBadResumptions(t *testing.T) {
	s := newStreamRig(t, nil)
	as := func(tenant, method, path, body, last string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		w := httptest.NewRecorder()
		s.http.ServeHTTP(w, r.WithContext(caller.With(r.Context(), &caller.Caller{ID: "k", Tenant: tenant})))
		return w
	}
	self := as("a", "POST", streamPath, inputs(3), "").Header().Get("Location")
	if w := as("a", "GET", self, "", "2"); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, c := range []struct{ tenant, path, last, want string }{
		{"b", self, "", "404 stream_not_found"}, {"", self, "", "404 stream_not_found"}, {"b", self, "3-end", "404 stream_not_found"}, {"a", self + "x", "", "404 stream_not_found"},
		{"a", strings.ToLower(self), "", "404 stream_not_found"}, {"a", "/v1/streams/%00", "", "404 stream_not_found"},
		{"a", self, "x", "400 invalid_request"}, {"a", self, "-1", "400 invalid_request"}, {"a", self, "4", "400 invalid_request"}, {"a", self, "4-end", "400 invalid_request"}, {"a", self, "99999999999999999999", "400 invalid_request"},
		{"a", self, "2-end-end", "400 invalid_request"}, {"a", self + "?from=1", "", "400 invalid_request"},
	} {
		w := as(c.tenant, "GET", c.path, "", c.last)
		if p := decode[problemDoc](t, w.Body.String()); fmt.Sprint(w.Code, " ", p.Code) != c.want {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	if w := as("a", "GET", self, "", "3-end"); w.Code != http.StatusNoContent {
		t.Errorf("after the end: %d", w.Code)
	}
}

func TestNothingIsLeftOfClientsWhoLeave(t *testing.T) {
	s := newStreamRig(t, func(c *Streams) { c.Grace = time.Millisecond })
	s.model.before = func(ctx context.Context, n int) error {
		if n < 3 {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	server := httptest.NewServer(s.http)
	defer server.Close()
	before := goleak.IgnoreCurrent()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		in, err := openStream(ctx, client, server.URL+streamPath, inputs(9), "")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = in.next()
		cancel()
		in.Body.Close()
	}
	eventually(t, "the runs end", func() bool { return s.streams.hub.Stats().Ended["abandoned"] == 50 })
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if n := s.runner.admitted.Load(); n != 0 {
		t.Errorf("%d places are kept", n)
	}
}

// FuzzReadTensors reads any body as tensors: what is read is valid, and what is not is the caller's fault.
func FuzzReadTensors(f *testing.F) {
	for _, seed := range []string{"", "{}", inputs(1), inputs(-7), `{"inputs":[],"outputs":[{"name":"o","parameters":{}}],"parameters":{"a":1,"b":2.5,"c":"x","d":false},"id":"x"}`, `{"inputs":[{"name":"t","datatype":"BYTES","shape":[1],"data":["x"]}]}`, `{"inputs":[[]]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &backend.Request{}
		if err := readTensors(body, r); err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		for i := range r.Inputs {
			if err := r.Inputs[i].Validate(); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
	})
}
