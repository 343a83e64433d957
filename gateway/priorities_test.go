package gateway

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/h2"
	"triton-gateway/internal/priority"
)

// classesOf notes the class that each request runs with, and the one that it is admitted with.
func classesOf(r *rig) (ran, admitted *[]priority.Class) {
	ran, admitted = new([]priority.Class), new([]priority.Class)
	r.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		*ran = append(*ran, priority.From(ctx))
		return false, nil
	}
	r.runner.refuse = func(ctx context.Context, _ string, _ int64) error {
		*admitted = append(*admitted, priority.From(ctx))
		return nil
	}
	return ran, admitted
}

func TestARequestHasTheClassOfItsHeader(t *testing.T) {
	r := newRig(t)
	ran, admitted := classesOf(r)
	for header, want := range map[string]priority.Class{"": priority.Interactive, "realtime": priority.Realtime, "interactive": priority.Interactive, "batch": priority.Batch} {
		var headers []string
		if header != "" {
			headers = []string{"X-Priority", header}
		}
		for _, path := range []string{"POST /v1/models/shapes/infer", "POST /v1/models/shapes/versions/1/infer", "GET /v1/models/iris/infer?sepal_length=1&sepal_width=1&petal_length=1&petal_width=1"} {
			*ran, *admitted = nil, nil
			method, path, _ := strings.Cut(path, " ")
			res, body := r.do(t, method, path, "image/png", string(picture(1)), headers...)
			if res.StatusCode != 200 || res.Header.Get("X-Priority-Effective") != header {
				t.Errorf("%s %q: %d %v %s", path, header, res.StatusCode, res.Header, body)
			}
			if len(*ran) != 1 || (*ran)[0] != want || len(*admitted) != 1 || (*admitted)[0] != want {
				t.Errorf("%s %q: ran as %v, admitted as %v", path, header, *ran, *admitted)
			}
		}
	}
}

func TestABadPriorityIsNamed(t *testing.T) {
	r := newRig(t)
	for _, value := range []string{"urgent", "Realtime", "1", "", "realtime, batch", strings.Repeat("x", 5000)} {
		for _, path := range []string{"POST /v1/models/shapes/infer", "GET /v1/models/iris/infer?sepal_length=1", "POST /v1/models/shapes/stream", "POST /v1/jobs?model=shapes", "POST /v1/models/shapes/preview"} {
			method, path, _ := strings.Cut(path, " ")
			p := checkProblem(t, r, path, 400, "invalid_request", "header.X-Priority", method, path, "image/png", string(picture(1)), "X-Priority", value)
			if !strings.Contains(p.Detail, "realtime, interactive or batch") || len(p.Detail) > 1000 {
				t.Errorf("%s: %s", path, p.Detail)
			}
		}
	}
	request := httptest.NewRequest("POST", "/v1/models/shapes/infer", strings.NewReader(string(picture(1))))
	request.Header["X-Priority"] = []string{"realtime", "realtime"}
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, request)
	if w.Code != 400 || r.runner.count() != 0 {
		t.Errorf("two of them: %d %s", w.Code, w.Body)
	}
	if res, body := r.do(t, "POST", "/v2/models/shapes/infer", "", "", "X-Priority", "urgent"); res.StatusCode != 400 || !strings.HasPrefix(body, `{"error":"the header X-Priority`) {
		t.Errorf("KServe's form: %d %s", res.StatusCode, body)
	}
	if res, body := r.do(t, "GET", "/v1/models", "", "", "X-Priority", "urgent"); res.StatusCode != 200 {
		t.Errorf("where nothing waits: %d %s", res.StatusCode, body)
	}
}

func TestATierHasItsCeiling(t *testing.T) {
	tiers := ceilings{"gold": priority.Realtime, "free": priority.Batch, defaultTier: priority.Interactive}
	for _, c := range []struct {
		who  *caller.Caller
		want [priority.Classes]priority.Class // for each class that is asked for
	}{
		{nil, [...]priority.Class{priority.Interactive, priority.Interactive, priority.Batch}},
		{&caller.Caller{Tier: "other"}, [...]priority.Class{priority.Interactive, priority.Interactive, priority.Batch}},
		{&caller.Caller{Tier: "gold"}, priority.All()},
		{&caller.Caller{Tier: "free"}, [...]priority.Class{priority.Batch, priority.Batch, priority.Batch}},
	} {
		for i, asked := range priority.All() {
			if got := tiers.cap(c.who, asked); got != c.want[i] {
				t.Errorf("%+v: %v becomes %v, want %v", c.who, asked, got, c.want[i])
			}
			if got := (ceilings)(nil).cap(c.who, asked); got != asked {
				t.Errorf("without tiers %v becomes %v", asked, got)
			}
		}
	}
	if got := (ceilings{"free": priority.Batch}).cap(&caller.Caller{Tier: "x"}, priority.Realtime); got != priority.Realtime {
		t.Errorf("a tier that is not named has %v", got)
	}
}

func TestCeilingsHoldForRequestsAndJobs(t *testing.T) {
	r := newGatedRig(t)
	r.server.tiers = ceilings{"gold": priority.Realtime, defaultTier: priority.Batch}
	r.http = r.handler()
	ran, _ := classesOf(r.rig)
	for key, want := range map[string]priority.Class{"all-a": priority.Realtime, "infer-a": priority.Batch} {
		*ran = nil
		res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)), "X-API-Key", key, "X-Priority", "realtime")
		if res.StatusCode != 200 || res.Header.Get("X-Priority-Effective") != want.String() || len(*ran) != 1 || (*ran)[0] != want {
			t.Errorf("%s: %d %v %v %s", key, res.StatusCode, res.Header, *ran, body)
		}
	}
	*ran = nil // who says nothing has no more either
	if res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(2)), "X-API-Key", "infer-a"); res.StatusCode != 200 || (*ran)[0] != priority.Batch {
		t.Errorf("%d %v %s", res.StatusCode, *ran, body)
	}
	for _, c := range []struct{ key, path, header, want string }{
		{"all-a", "/v1/jobs?model=shapes&priority=realtime", "", "realtime"},
		{"work-a", "/v1/jobs?model=shapes&priority=realtime", "", "batch"},
		{"all-a", "/v1/jobs?model=shapes", "batch", "batch"},
		{"all-a", "/v1/jobs?model=shapes", "", "interactive"},
		{"all-a", "/v1/jobs?model=shapes&priority=batch", "realtime", "batch"},
		{"all-a", "/v1/models/shapes/infer", "realtime", "realtime"},
		{"work-a", "/v1/models/shapes/infer", "realtime", "batch"},
	} {
		headers := []string{"X-API-Key", c.key, "Prefer", "respond-async"}
		if c.header != "" {
			headers = append(headers, "X-Priority", c.header)
		}
		res, body := r.do(t, "POST", c.path, "image/png", string(picture(1)), headers...)
		if got := decode[jobDoc](t, body).Priority; res.StatusCode != 202 || got != c.want {
			t.Errorf("%+v: %d %s", c, res.StatusCode, body)
		}
	}
}

func TestAJobRunsWithItsClass(t *testing.T) {
	j := newJobRig(t, false)
	ran := make(chan priority.Class, 1)
	j.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		ran <- priority.From(ctx)
		return false, nil
	}
	for _, want := range priority.All() {
		doc := j.submit(t, "model=shapes&priority="+want.String(), "image/png", string(picture(1)))
		if got := <-ran; got != want {
			t.Errorf("a %v job runs as %v", want, got)
		}
		j.ended(t, doc.ID)
	}
}

func TestACallOverGRPCHasTheClassOfItsMetadata(t *testing.T) {
	for _, gated := range []bool{false, true} {
		g := newGatedRig(t)
		tiers, seen := ceilings{defaultTier: priority.Interactive, "gold": priority.Realtime}, make(chan priority.Class, 10)
		class := func(ctx context.Context, values []string) (context.Context, error) {
			under, err := tiers.classed(ctx, values)
			if err == nil {
				seen <- priority.From(under)
			}
			return under, err
		}
		d := kserve.Deps{Runner: noModels{}, Models: noModels{}, Codes: kserveCodes, Class: class, Log: quietLog(), Limits: kserve.Limits{Message: 1 << 20, Timeout: time.Minute, Streams: 10}}
		if gated {
			d.Gate = g.server.gate
		}
		s := kserve.New(d)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.ServeGRPC(l, false) }()
		c := connectGRPC(t, l.Addr().String())
		message := append([]byte{0, 0, 0, 0, 3}, 0x0a, 1, 'm')[5:] // model_name: m
		for _, call := range []struct {
			values []string
			key    string
			want   priority.Class
		}{
			{nil, "all-a", priority.Interactive}, {[]string{"batch"}, "all-a", priority.Batch}, {[]string{"realtime"}, "all-a", priority.Realtime}, {[]string{"realtime"}, "work-a", priority.Interactive},
		} {
			fields := []h2.Field{{Name: "x-api-key", Value: call.key}}
			for _, v := range call.values {
				fields = append(fields, h2.Field{Name: "x-priority", Value: v})
			}
			want := call.want
			if !gated { // nobody has a tier
				want = max(want, priority.Interactive)
			}
			_, _, err := c.Call(t.Context(), "/inference.GRPCInferenceService/ModelInfer", fields, [][]byte{message})
			if err == nil {
				t.Errorf("gated %v, %+v: there is no model", gated, call)
			}
			for len(seen) > 0 {
				if got := <-seen; got != want {
					t.Errorf("gated %v, %+v: %v", gated, call, got)
				}
			}
		}
		for _, values := range [][]string{{"urgent"}, {"batch", "batch"}} {
			fields := []h2.Field{{Name: "x-api-key", Value: "all-a"}}
			for _, v := range values {
				fields = append(fields, h2.Field{Name: "x-priority", Value: v})
			}
			_, _, err := c.Call(t.Context(), "/inference.GRPCInferenceService/ModelInfer", fields, [][]byte{message})
			var status *h2.Status
			if !errors.As(err, &status) || status.Code != 3 || !strings.Contains(status.Message, "X-Priority") {
				t.Errorf("gated %v, %q: %v", gated, values, err)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-served
	}
}
