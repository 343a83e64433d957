package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"triton-gateway/internal/caller"
)

// send asks infer for a picture in the name of a key.
func (r *gatedRig) send(t *testing.T, key string, header ...string) (*http.Response, string) {
	t.Helper()
	return r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(7)), append(header, "X-API-Key", key)...)
}

func TestTenantsReachThePipeline(t *testing.T) {
	r := newGatedRig(t)
	for _, key := range []string{"work-a", "work-b"} {
		if res, body := r.send(t, key); res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		if got := r.runner.last().Tenant; got != key[5:] {
			t.Errorf("%s asks in the name of %q", key, got)
		}
	}
	kind, form := makeForm("@image", string(picture(1)), "@image", string(picture(2)))
	r.do(t, "POST", "/v1/models/shapes/infer", kind, form, "X-API-Key", "work-b")
	if got := r.runner.last().Tenant; got != "b" {
		t.Errorf("several items: %q", got)
	}
	r.do(t, "GET", "/v1/models/iris/infer?sepal_length=1&sepal_width=1&petal_length=1&petal_width=1", "", "", "X-API-Key", "work-a")
	if got := r.runner.last(); got.Tenant != "a" || got.Model != "iris" {
		t.Errorf("a row: %+v", got)
	}
}

func TestTenantsSeeTheirOwnJobs(t *testing.T) {
	r := newGatedRig(t)
	submit := func(key string) (int, string) {
		res, body := r.do(t, "POST", "/v1/jobs?model=shapes", "image/png", string(picture(1)), "X-API-Key", key, "Idempotency-Key", "same", "X-Request-Id", "same")
		return res.StatusCode, decode[JobView](t, body).ID
	}
	_, a := submit("work-a")
	status, b := submit("work-b") // the same key of idempotency and the same request id are another tenant's
	if status != http.StatusAccepted || a == b || a == "" {
		t.Errorf("%d: %s and %s", status, a, b)
	}
	if _, again := submit("work-a"); again != a {
		t.Errorf("%s, then %s", a, again)
	}
	for _, path := range []string{"/v1/jobs/" + a, "/v1/jobs/" + a + "?wait=1s", "/v1/jobs/" + a + "/events"} {
		if res, body := r.do(t, "GET", path, "", "", "X-API-Key", "work-b"); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	_, body := r.do(t, "GET", "/v1/jobs", "", "", "X-API-Key", "work-b")
	if strings.Contains(body, a) || !strings.Contains(body, b) {
		t.Error(body)
	}
	w := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "/v1/jobs", nil)
	request.Header.Set("X-API-Key", "admin-a")
	r.admin.ServeHTTP(w, request)
	if text := w.Body.String(); !strings.Contains(text, a) || !strings.Contains(text, b) {
		t.Errorf("operators see all: %s", text)
	}
}

func TestPreferNeedsTheScopeOfJobs(t *testing.T) {
	r := newGatedRig(t)
	if res, body := r.send(t, "infer-a", "Prefer", "respond-async"); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "scope jobs") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if res, body := r.send(t, "work-a", "Prefer", "respond-async"); res.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestTenantsSeeTheirOwnStatistics(t *testing.T) {
	r := newGatedRig(t)
	for i, key := range []string{"work-a", "work-b", "work-b", "work-b"} {
		r.send(t, key, "X-Request-Id", fmt.Sprint(i))
	}
	for key, want := range map[string]int64{"infer-a": 1, "work-b": 3, "all-a": 4} {
		_, body := r.do(t, "GET", "/v1/stats", "", "", "X-API-Key", key)
		view := decode[statsView](t, body)
		for _, m := range view.Models {
			if m.Name == "shapes" && m.Count != want {
				t.Errorf("%s sees %d of %d: %s", key, m.Count, want, body)
			}
		}
		if view.Cache.Hits+view.Cache.Misses != want || (view.Jobs != nil) != (key == "all-a") {
			t.Errorf("%s: %s", key, body)
		}
	}
}

func TestReadinessShowsNoNamesToStrangers(t *testing.T) {
	r := newGatedRig(t)
	if a := knock(r.http, "GET", "/readyz", ""); a.status != http.StatusOK || strings.Contains(a.body, "shapes") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := knock(newRig(t).http, "GET", "/readyz", ""); !strings.Contains(a.body, "shapes") {
		t.Error(a.body)
	}
}

// The body of a caller who is not let in is not asked for.
func TestRefusedBeforeTheBody(t *testing.T) {
	r := newGatedRig(t)
	server := httptest.NewServer(r.http)
	defer server.Close()
	for key, status := range map[string]int{"nonsense": 401, "jobs-a": 403} {
		conn := dial(t, server)
		_, err := fmt.Fprintf(conn, "POST /v1/models/shapes/infer HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", key)
		if err != nil {
			t.Fatal(err)
		}
		if res, body := conn.answer(t); res.StatusCode != status {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
}

func TestGuardCostsOneAllocation(t *testing.T) {
	r := newGatedRig(t)
	request := httptest.NewRequest("GET", "/v1/models", nil)
	request.Header.Set("X-Api-Key", "all-a")
	base := request.Context()
	var st state
	n := testing.AllocsPerRun(200, func() {
		*request = *request.WithContext(base)
		if err := r.enter(request, &st, askers, false); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 && !raceEnabled() {
		t.Errorf("%v allocations", n)
	}
	if caller.From(request.Context()) == nil || st.who.ID != "all-a" {
		t.Errorf("%+v", st.who)
	}
}

func BenchmarkGuard(b *testing.B) {
	r := newGatedRig(b)
	request := httptest.NewRequest("GET", "/v1/models", nil)
	request.Header.Set("Authorization", "Bearer all-a")
	base := request.Context()
	var st state
	b.ReportAllocs()
	for b.Loop() {
		*request = *request.WithContext(base)
		if err := r.enter(request, &st, needOf("GET", "/v1/models"), false); err != nil {
			b.Fatal(err)
		}
	}
}
