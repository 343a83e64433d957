package gateway

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/quota"
	"triton-gateway/internal/caller"
)

// quotaRig is a server with quotas. Requests come in the name of the caller that the header X-Test names, as ID/TIER; its runner tells an observer what a pipeline would.
func quotaRig(t testing.TB, q Quotas, edit ...func(*serverDeps)) *rig {
	t.Helper()
	tiers, faults := q.tiers()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	l, err := quota.New(quota.Config{Tiers: tiers, DryRun: q.DryRun})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := newRig(t, append([]func(*serverDeps){func(d *serverDeps) {
		d.Quotas = &quotas{l, q.ByAddress}
		d.Runner = costly{d.Runner}
	}}, edit...)...)
	inner := r.http
	r.http = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if who := req.Header.Get("X-Test"); who != "" {
			id, tier, _ := strings.Cut(who, "/")
			req = req.WithContext(caller.With(req.Context(), &caller.Caller{ID: id, Tenant: "t", Tier: tier, Scopes: caller.Infer}))
			if id == "operator" {
				req = req.WithContext(caller.With(req.Context(), &caller.Caller{ID: id, Scopes: caller.Infer | caller.Admin}))
			}
		}
		inner.ServeHTTP(w, req)
	})
	return r
}

// costly is a runner whose every miss decodes 2 megapixels and asks a model for 100 ms.
type costly struct{ runner }

func (c costly) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	watch := charged{}
	watch.End(ctx, pipeline.Ended{Stage: pipeline.Accept})
	a, err := c.runner.Run(ctx, r)
	if err == nil && !a.FromCache {
		watch.End(ctx, pipeline.Ended{Stage: pipeline.Preprocess, Pixels: 2e6})
		watch.End(ctx, pipeline.Ended{Stage: pipeline.Infer, Took: 100 * time.Millisecond})
	}
	return a, err
}

const inferShapes = "/v1/models/shapes/infer"

func TestQuotaHeadersAndRefusal(t *testing.T) {
	r := quotaRig(t, Quotas{Tiers: QuotaTiers{"default": {Requests: "2/m", Concurrency: 4, Daily: QuotaDay{Requests: "100"}}}})
	const policy = `"requests";q=2;w=60, "daily-requests";q=100;w=86400, "concurrency";q=4;qu="concurrent-requests"`
	state := regexp.MustCompile(`^"requests";r=([01]);t=\d+, "daily-requests";r=(9[89]);t=\d+, "concurrency";r=[34]$`)
	for i := range 2 {
		res, text := r.do(t, "POST", inferShapes, "image/png", string(picture(1)), "X-Test", "web/")
		if res.StatusCode != 200 || res.Header.Get("RateLimit-Policy") != policy || !state.MatchString(res.Header.Get("RateLimit")) {
			t.Fatalf("%d: %d %q %q %s", i, res.StatusCode, res.Header.Get("RateLimit-Policy"), res.Header.Get("RateLimit"), text)
		}
	}
	before := r.runner.count()
	res, text := r.do(t, "POST", inferShapes, "image/png", "none of this is read", "X-Test", "web/")
	p := decode[problemDoc](t, text)
	if res.StatusCode != 429 || p.Code != "rate_limited" || !p.Retryable || !strings.Contains(p.Detail, "quotas.tiers.default.requests") || len(p.Errors) != 1 || p.Errors[0].Location != "quota.requests" {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	if after := res.Header.Get("Retry-After"); after != "30" {
		t.Errorf("Retry-After %s", after)
	}
	if s := res.Header.Get("RateLimit"); !strings.HasPrefix(s, `"requests";r=0;t=30, "daily-requests";r=98;`) || res.Header.Get("RateLimit-Policy") != policy {
		t.Error(s)
	}
	if r.runner.count() != before {
		t.Error("it was run")
	}
	if res, text := r.do(t, "GET", "/v2/models/shapes", "", "", "X-Test", "web/"); res.StatusCode != 429 || !strings.HasPrefix(text, `{"error":"the quota of requests`) || res.Header.Get("Retry-After") == "" || res.Header.Get("RateLimit") == "" {
		t.Errorf("%d %s %v", res.StatusCode, text, res.Header)
	}
	for _, free := range []string{"/livez", "/v1/quota", "/v2/health/live", "/openapi.json"} {
		if res, text := r.do(t, "GET", free, "", "", "X-Test", "web/"); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", free, res.StatusCode, text)
		}
	}
	if res, _ := r.do(t, "GET", "/v1/models", "", "", "X-Test", "other/"); res.StatusCode != 200 {
		t.Error("another key is refused")
	}
	if res, _ := r.do(t, "GET", "/v1/models", "", ""); res.StatusCode != 200 || res.Header.Get("RateLimit") != "" {
		t.Error("who is not known has a quota")
	}
}

func TestQuotaIsChargedWhatWasDone(t *testing.T) {
	r := quotaRig(t, Quotas{Tiers: QuotaTiers{"default": {Requests: "1000/d", Megapixels: "1000/31d", Bytes: "1MB/31d", Inference: "100s/31d"}}})
	body := string(picture(1))
	left := func() (requests, megapixels, bytes, seconds float64) {
		_, text := r.do(t, "GET", "/v1/quota", "", "", "X-Test", "web/")
		v := decode[quotaView](t, text)
		if len(v.Limits) != 4 || v.Key != "web" || v.Tier != "default" || !v.Limited {
			t.Fatal(text)
		}
		return v.Limits[0].Remaining, v.Limits[1].Remaining, v.Limits[2].Remaining, v.Limits[3].Remaining
	}
	check := func(what string, requests, megapixels, bytes, seconds float64) {
		t.Helper()
		a, b, c, d := left()
		if a != requests || int(b+.5) != int(megapixels) || c < bytes-1 || c > bytes+3 || d < seconds-.01 || d > seconds+.01 {
			t.Errorf("%s: %v %v %v %v", what, a, b, c, d)
		}
	}
	ask := func(kind, body string, header ...string) {
		t.Helper()
		if res, text := r.do(t, "POST", inferShapes, kind, body, append(header, "X-Test", "web/")...); res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
	}
	n := float64(len(body))
	ask("image/png", body)
	check("a miss", 999, 998, 1e6-n, 99.9)
	ask("image/png", body)
	check("a hit", 998, 998, 1e6-2*n, 99.9)
	kind, form := makeForm("@image", string(picture(2)), "@image", string(picture(3)), "@image", string(picture(4)))
	ask(kind, form)
	check("three pictures", 995, 992, 1e6-2*n-float64(len(form)), 99.6)
	if res, _ := r.do(t, "POST", inferShapes, "text/x", strings.Repeat("x", 5000), "X-Test", "web/"); res.StatusCode != 415 {
		t.Fatal(res.StatusCode)
	}
	if _, _, c, _ := left(); c < 1e6-2*n-float64(len(form))-5003 {
		t.Error("more than was sent")
	}
}

func TestQuotaByAddressAndTier(t *testing.T) {
	r := quotaRig(t, Quotas{ByAddress: true, Tiers: QuotaTiers{"default": {Requests: "1/m"}, "gold": {Requests: "2/m"}, "free": {}}})
	want := func(status int, header ...string) {
		t.Helper()
		if res, text := r.do(t, "GET", "/v1/models", "", "", header...); res.StatusCode != status {
			t.Errorf("%v: %d %s", header, res.StatusCode, text)
		}
	}
	want(200)
	want(429)
	want(200, "X-Test", "a/gold")
	want(200, "X-Test", "a/gold")
	want(429, "X-Test", "a/gold")
	want(200, "X-Test", "/silver") // no id: the tenant counts
	want(429, "X-Test", "/")
	for range 5 {
		want(200, "X-Test", "b/free")
	}
}

func TestPlainAddress(t *testing.T) {
	for address, want := range map[string]string{"10.1.2.3:99": "10.1.2.3", "[::ffff:10.1.2.3]:99": "10.1.2.3", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::",
		"[fe80::1%eth0]:1": "fe80::", "@": "@", "10.1.2.3": "10.1.2.3"} {
		if got := plainAddress(address); got != want {
			t.Errorf("%s: %s, not %s", address, got, want)
		}
	}
}

func TestQuotaDryRun(t *testing.T) {
	r := quotaRig(t, Quotas{DryRun: true, Tiers: QuotaTiers{"default": {Requests: "1/m"}}})
	for i, want := range []string{"", "requests; retry-after=60", "requests; retry-after=60"} {
		res, _ := r.do(t, "GET", "/v1/models", "", "", "X-Test", "web/")
		if res.StatusCode != 200 || res.Header.Get("X-Quota-Would-Refuse") != want {
			t.Errorf("%d: %d %q", i, res.StatusCode, res.Header.Get("X-Quota-Would-Refuse"))
		}
	}
	if s := r.quotas.Stats(); s.Tiers[0].Refused["requests"] != 2 {
		t.Errorf("%+v", s)
	}
}

// TestQuotaPlacesAreGivenBack has one place, and requests that end in every way.
func TestQuotaPlacesAreGivenBack(t *testing.T) {
	r := quotaRig(t, Quotas{Tiers: QuotaTiers{"default": {Concurrency: 1, TierConcurrency: 1}}})
	for name, before := range map[string]func(ctx context.Context, r *pipeline.Request) (bool, error){
		"panic": func(context.Context, *pipeline.Request) (bool, error) { panic("x") },
		"gone":  func(ctx context.Context, _ *pipeline.Request) (bool, error) { return false, context.Canceled },
		"abort": func(context.Context, *pipeline.Request) (bool, error) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			r.runner.before = before
			func() {
				defer func() { _ = recover() }()
				r.do(t, "POST", inferShapes, "image/png", string(picture(1)), "X-Test", "web/")
			}()
			r.runner.before = nil
			if res, text := r.do(t, "POST", inferShapes, "image/png", string(picture(1)), "X-Test", "web/"); res.StatusCode != 200 {
				t.Fatalf("the place was lost: %s", text)
			}
		})
	}
	r.runner.before = func(ctx context.Context, q *pipeline.Request) (bool, error) {
		r.runner.before = nil
		if res, text := r.do(t, "GET", "/v1/models", "", "", "X-Test", "web/"); res.StatusCode != 429 || !strings.Contains(text, "quota.concurrency") {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		if res, text := r.do(t, "GET", "/v1/models", "", "", "X-Test", "other/"); res.StatusCode != 429 || !strings.Contains(text, "quota.tier_concurrency") {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		return false, nil
	}
	if res, text := r.do(t, "POST", inferShapes, "image/png", string(picture(2)), "X-Test", "web/"); res.StatusCode != 200 {
		t.Fatal(text)
	}
}

func TestQuotaOfOthers(t *testing.T) {
	r := quotaRig(t, Quotas{Tiers: QuotaTiers{"default": {Requests: "5/m"}, "gold": {Requests: "50/m"}}})
	r.do(t, "GET", "/v1/models", "", "", "X-Test", "web/gold")
	for _, c := range []struct {
		query, who string
		status     int
		has        string
	}{
		{"?key=web", "operator", 200, `"remaining":49`}, {"?key=web", "other/", 403, "scope admin"}, {"?key=web", "web/gold", 200, `"key":"web"`},
		{"?key=never", "operator", 404, "has not called"}, {"?key=never&tier=gold", "operator", 200, `"remaining":50`}, {"?tier=gold", "operator", 400, "add key=ID"},
		{"?tier=gold", "other/", 403, "scope admin"}, {"?key=" + strings.Repeat("x", 300), "operator", 422, ""}, {"", "", 200, `"limited":false`},
	} {
		var header []string
		if c.who != "" {
			header = []string{"X-Test", c.who}
		}
		res, text := r.do(t, "GET", "/v1/quota"+c.query, "", "", header...)
		if res.StatusCode != c.status || !strings.Contains(text, c.has) {
			t.Errorf("%s by %q: %d %s", c.query, c.who, res.StatusCode, text)
		}
	}
	if res, text := newRig(t).do(t, "GET", "/v1/quota", "", ""); res.StatusCode != 200 || decode[quotaView](t, text).Limited {
		t.Error(text)
	}
}

func TestJobsAreChargedWhenTheyRun(t *testing.T) {
	l, err := quota.New(quota.Config{Tiers: map[string]quota.Tier{"default": {Limits: []quota.Limit{{Unit: quota.Requests, Quota: 2, Window: time.Minute}}, Concurrency: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	fake := &fakeRunner{stored: map[string]bool{}, seen: map[string]bool{}}
	q := &quotas{l, false}
	run := q.onQuota(jobRunner{fake, func(string, *pipeline.Answer, string) {}})
	ctx := caller.With(t.Context(), &caller.Caller{ID: "web"})
	held, err := l.Enter(ctx, quota.Subject{ID: "web"}, 0) // items do not count as requests at a time
	if err != nil {
		t.Fatal(err)
	}
	defer held.Leave()
	request := &pipeline.Request{Model: "shapes", Item: pipeline.Item{Image: pipeline.NewBody(picture(1), nil)}, Cache: cache.Default}
	if _, err := run.Run(ctx, request); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(ctx, request); faultOf(err).Code != "rate_limited" {
		t.Errorf("not refused: %v", err)
	}
	if _, err := run.Run(t.Context(), request); err != nil {
		t.Errorf("a job of nobody is refused: %v", err)
	}
	var none *quotas
	if _, ok := none.onQuota(fake).(quotaRunner); ok {
		t.Error("quotas where there are none")
	}
}
