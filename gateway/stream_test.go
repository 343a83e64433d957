package gateway

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/streams"
)

const streamPath = "/v1/models/plain/stream"

func TestAStreamArrivesAsItHappens(t *testing.T) {
	s := newStreamRig(t, nil)
	pass := make(chan bool)
	s.model.before = func(ctx context.Context, _ int) error {
		select {
		case <-pass:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	in := mustOpen(t, s.serve(t)+streamPath, inputs(2), "")
	if in.StatusCode != 200 || in.Header.Get("Content-Type") != "text/event-stream" || in.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%d %v", in.StatusCode, in.Header)
	}
	e, _ := in.next()
	view := decode[streamView](t, e.data)
	if e.name != "stream" || e.id != "" || view.Model != "plain" || len(view.ID) < 26 || view.Links.Self != in.Header.Get("Location") || view.Links.Self != "/v1/streams/"+view.ID {
		t.Fatalf("first: %+v", e)
	}
	for n := 1; n <= 2; n++ {
		pass <- true
		e, more := in.next()
		if want := fmt.Sprintf(`{"version":"1","outputs":[{"name":"n","datatype":"INT32","shape":[1],"data":[%d]}]}`, n); !more || e.name != "response" || e.id != fmt.Sprint(n) || e.data != want {
			t.Fatalf("response %d: %+v", n, e)
		}
	}
	if e, _ := in.next(); e != (event{"2-end", "done", `{"responses":2}`}) {
		t.Errorf("last: %+v", e)
	}
	if e, more := in.next(); more {
		t.Errorf("after the last: %+v", e)
	}
	eventually(t, "the place is given back", func() bool { return s.runner.admitted.Load() == 0 })
}

func TestAStreamGoesOnWhereItWas(t *testing.T) {
	s := newStreamRig(t, nil)
	url := s.serve(t)
	in := mustOpen(t, url+streamPath, inputs(-3), "")
	first := in.rest()
	if got := fmt.Sprint(first); got != "[stream  response 1 response 2 response 3 error 3-end]" {
		t.Fatal(got)
	}
	self := url + in.Header.Get("Location")
	for last, want := range map[string]string{
		"": "[stream  response 1 response 2 response 3 error 3-end]", "0": "[stream  response 1 response 2 response 3 error 3-end]", "2": "[stream  response 3 error 3-end]", "3": "[stream  error 3-end]",
	} {
		if got := fmt.Sprint(mustOpen(t, self, "", last).rest()); got != want {
			t.Errorf("after %q: %s, want %s", last, got, want)
		}
	}
	again := mustOpen(t, self, "", "3")
	_, _ = again.next()
	e, _ := again.next()
	if p := decode[problemDoc](t, e.data); p.Code != "upstream_error" || p.Status != 502 || p.Detail != "the model gave up" {
		t.Errorf("%+v", e)
	}
	if end := mustOpen(t, self, "", "3-end"); end.StatusCode != 204 {
		t.Errorf("after the end: %d", end.StatusCode)
	}
}

func TestWhoComesTooLateIsToldSo(t *testing.T) {
	s := newStreamRig(t, func(c *Streams) { c.Events = 3 })
	url := s.serve(t)
	in := mustOpen(t, url+streamPath, inputs(9), "")
	if n := len(in.rest()); n != 11 {
		t.Fatalf("%d events", n)
	}
	late := mustOpen(t, url+in.Header.Get("Location"), "", "2")
	_, _ = late.next()
	e, _ := late.next()
	if p := decode[problemDoc](t, e.data); e.name != "error" || e.id != "2-end" || p.Code != "stream_behind" || p.Status != 409 || !strings.Contains(p.Detail, "streams.events") {
		t.Errorf("%+v", e)
	}
	eventually(t, "one is counted as left behind", func() bool { return s.streams.hub.Stats().Behind == 1 })
}

func TestAggregate(t *testing.T) {
	s := newStreamRig(t, func(c *Streams) { c.Events = 5 })
	res, body := s.do(t, "POST", streamPath+"?aggregate=true", "application/json", inputs(2), "X-Request-Id", "mine")
	one := `{"version":"1","outputs":[{"name":"n","datatype":"INT32","shape":[1],"data":[%d]}]}`
	if want := fmt.Sprintf(`{"id":"mine","model":"plain","responses":[`+one+","+one+`]}`, 1, 2); res.StatusCode != 200 || body != want {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, body = s.do(t, "POST", streamPath+"?aggregate=true", "application/json", inputs(0)); res.StatusCode != 200 || !strings.HasSuffix(body, `"responses":[]}`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	for n, want := range map[int]string{6: "413 response_too_large", -2: "502 upstream_error"} {
		res, body = s.do(t, "POST", streamPath+"?aggregate=true&version=1", "application/json", inputs(n))
		if p := decode[problemDoc](t, body); fmt.Sprint(res.StatusCode, " ", p.Code) != want {
			t.Errorf("%d: %d %s", n, res.StatusCode, body)
		}
	}
	if n := s.runner.admitted.Load(); n != 0 {
		t.Errorf("%d places are kept", n)
	}
}

func TestWhatAStreamIsAskedForReachesTheModel(t *testing.T) {
	s := newStreamRig(t, nil)
	s.model.asked = make(chan *backend.Request, 1)
	body := strings.TrimSuffix(inputs(1), "}") + `,"id":"x","outputs":[],"parameters":{"a":"b","c":1,"d":1.5,"e":true}}`
	if res, text := s.do(t, "POST", "/v1/models/plain/versions/1/stream", "application/json", body); res.StatusCode != 200 {
		t.Fatal(text)
	}
	r := <-s.model.asked
	if r.Model != "plain" || r.Version != "1" || fmt.Sprint(r.Params) != "map[a:b c:1 d:1.5 e:true]" || r.Inputs[0].Name != "x" || r.Params["c"] != int64(1) {
		t.Errorf("%+v", r)
	}
}

// A silent stream shows that it lives, and ends at the caller's deadline with an event that says so.
func TestASilentStreamShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreamRig(t, nil)
		defer s.streams.close()
		s.model.before = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
		r := httptest.NewRequest("POST", streamPath, strings.NewReader(inputs(1)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Request-Timeout", "40")
		w := httptest.NewRecorder()
		began := time.Now()
		s.http.ServeHTTP(w, r)
		if took := time.Since(began); took != 40*time.Second {
			t.Errorf("it took %v", took)
		}
		body := w.Body.String()
		if strings.Count(body, "\n:\n") != 2 || !strings.Contains(body, "id: 0-end\nevent: error\n") || !strings.Contains(body, `"code":"deadline_exceeded"`) {
			t.Errorf("%s", body)
		}
	})
}

// The model's run goes on for a while when the reader has left, and is cancelled then.
func TestAnAbandonedRunIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreamRig(t, nil)
		defer s.streams.close()
		left := make(chan time.Time, 1)
		s.model.before = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			left <- time.Now()
			return ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", streamPath, strings.NewReader(inputs(1)))
		r.Header.Set("Content-Type", "application/json")
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		s.http.ServeHTTP(httptest.NewRecorder(), r)
		if took := time.Since(began); took != time.Second {
			t.Errorf("the handler stays for %v", took)
		}
		if took := (<-left).Sub(began); took != 11*time.Second {
			t.Errorf("the run ends after %v", took)
		}
		synctest.Wait()
		if got := s.streams.hub.Stats(); got.Ended[streams.Abandoned] != 1 || s.runner.admitted.Load() != 0 {
			t.Errorf("%+v, %d places", got, s.runner.admitted.Load())
		}
	})
}

func TestStreamFigures(t *testing.T) {
	s := newStreamRig(t, nil)
	url := s.serve(t)
	in := mustOpen(t, url+streamPath, inputs(3), "")
	in.rest()
	mustOpen(t, url+in.Header.Get("Location"), "", "1").rest()
	got := map[string]float64{}
	for _, r := range streamReadings(s.streams)() {
		for _, v := range r.values {
			got[r.name+strings.Join(v.labels, "")] = v.value
		}
	}
	for name, want := range map[string]float64{"gateway_streamskept": 1, "gateway_streamsrunning": 0, "gateway_stream_events_total": 3, "gateway_streams_started_total": 1, "gateway_streams_resumed_total": 1, "gateway_streams_ended_totaldone": 1} {
		if v, found := got[name]; !found || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}
