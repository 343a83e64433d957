package gateway

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// corsRig is a server that pages of some origins may call.
func corsRig(t *testing.T, list ...string) *rig {
	t.Helper()
	c := CORS{Origins: list}
	if faults := c.check(); len(faults) > 0 {
		t.Fatal(faults)
	}
	return newRig(t, func(d *serverDeps) { d.Browsers = browserRules{origins: c.open()} })
}

const (
	friend   = "https://app.example.com"
	stranger = "https://evil.example.org"
)

func TestOriginsThatAreAllowed(t *testing.T) {
	for _, c := range []struct {
		list, origin string
		allowed      bool
	}{
		{friend, friend, true},
		{"HTTPS://App.Example.com:443", friend, true},
		{friend, "http://app.example.com", false},
		{friend, "https://app.example.com:8443", false},
		{friend, "https://app.example.com.evil.org", false},
		{friend, "https://evil.org/https://app.example.com", false},
		{friend, "", false},
		{friend, "null", false},
		{"http://localhost:3000", "http://localhost:3000", true},
		{"http://localhost:3000", "http://localhost:3001", false},
		{"http://[::1]:80", "http://[::1]", true},
		{"https://*.example.com", friend, true},
		{"https://*.example.com", "https://a.b.example.com", true},
		{"https://*.example.com", "https://example.com", false},
		{"https://*.example.com", "https://.example.com", false},
		{"https://*.example.com", "https://evilexample.com", false},
		{"https://*.example.com", "https://evil.org/.example.com", false},
		{"https://*.example.com", "https://evil.org:1@x.example.com", false},
		{"https://*.example.com", "https://evil.org?.example.com", false},
		{"https://*.example.com", "http://app.example.com", false},
		{"https://*.example.com", "https://app.example.com:8443", false},
		{"https://*.example.com:8443", "https://app.example.com:8443", true},
		{"https://*.example.com", "https://" + strings.Repeat("a", longestOrigin) + ".example.com", false},
		{"*", stranger, true},
		{"*", "null", true},
	} {
		list := CORS{Origins: []string{c.list}}
		if got := list.open().allows(c.origin); got != c.allowed || len(list.check()) > 0 {
			t.Errorf("%s allows %s: %v, %v", c.list, c.origin, got, list.check())
		}
	}
	if (&CORS{}).open().allows(friend) {
		t.Error("an empty list allows")
	}
}

func TestOriginsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"app.example.com": "is no origin", "ftp://a.b": "is no origin", "https://": "is no origin", "null": "is no origin", "": "is no origin",
		"https://a.b/": "without a path", "https://a.b?x": "without a path", "https://u@a.b": "without a path",
		"https://*": "has a * elsewhere", "https://*.com": "has a * elsewhere", "https://a*.b.c": "has a * elsewhere", "https://*.a.*.b": "has a * elsewhere", "https://*a.b.c": "has a * elsewhere",
		"https://bücher.example": "xn--", "https://a b": "characters", "https://a.b:http": "a port that is no number", "https://a.b:": "a port that is no number",
		"https://" + strings.Repeat("a", longestOrigin): "too long",
	} {
		faults := (&CORS{Origins: []string{text}}).check()
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) || !strings.Contains(faults[0].Error(), "cors.origins[0]") {
			t.Errorf("%q: %v, want %q", text, faults, want)
		}
	}
	if faults := (&CORS{Origins: []string{friend, "*", "x"}}).check(); len(faults) != 2 || !strings.Contains(faults[0].Error(), "leave the others out") {
		t.Errorf("* beside others: %v", faults)
	}
}

func FuzzOrigins(f *testing.F) {
	for _, seed := range []string{friend, "https://*.example.com", "*", "null", "https://[::1]:8", "http://a.b:80", "https://*.a.b:443"} {
		f.Add(seed, friend)
	}
	f.Fuzz(func(t *testing.T, entry, name string) {
		o, err := readOrigin(entry)
		if err != nil {
			return
		}
		list := (&CORS{Origins: []string{entry}}).open()
		if o.text != "" && !list.allows(o.text) {
			t.Errorf("%q does not allow itself, %q", entry, o.text)
		}
		if !o.any && list.allows(name) && strings.ContainsAny(strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://"), "/?#@\\ \r\n") {
			t.Errorf("%q allows %q", entry, name)
		}
	})
}

func TestPreflight(t *testing.T) {
	ask := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
	for _, c := range []struct {
		list, origin, allow string
		status              int
	}{
		{friend, friend, friend, 204}, {"https://*.example.com", friend, friend, 204}, {"*", stranger, "*", 204}, {friend, stranger, "", 403},
	} {
		for _, path := range []string{"/v1/models/shapes/infer", "/v2/models/shapes/infer", "/v1/jobs", "/nowhere"} {
			r := corsRig(t, c.list)
			res, body := r.do(t, "OPTIONS", path, "", "", append(ask, "Origin", c.origin)...)
			h := res.Header
			if res.StatusCode != c.status || h.Get("Access-Control-Allow-Origin") != c.allow {
				t.Errorf("%s %s at %s: %d %v %s", c.list, c.origin, path, res.StatusCode, h, body)
			}
			vary := strings.Join(h.Values("Vary"), ", ")
			if strings.Contains(vary, "Origin") != (c.list != "*") || !strings.Contains(vary, "Access-Control-Request-Headers") {
				t.Errorf("%s: Vary is %s", c.list, vary)
			}
			if c.allow == "" {
				if !strings.Contains(body, "cors.origins") || h.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("refused with %v %s", h, body)
				}
				continue
			}
			if body != "" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD, POST, PUT, DELETE" || h.Get("Access-Control-Allow-Headers") != "authorization,content-type" || h.Get("Access-Control-Max-Age") != "7200" {
				t.Errorf("%s: %v %s", c.list, h, body)
			}
		}
	}
	r := corsRig(t, friend)
	for _, odd := range []string{"x\r\nset-cookie: a", "x\x00", strings.Repeat("x", longestAsked+1), "ü"} {
		if res, _ := r.do(t, "OPTIONS", "/v1/models", "", "", "Origin", friend, ask[0], ask[1], ask[2], odd); res.Header.Get("Access-Control-Allow-Headers") != "" {
			t.Errorf("%.20q is given back", odd)
		}
	}
	if res, _ := newRig(t).do(t, "OPTIONS", "/v1/models", "", "", append(ask, "Origin", friend)...); res.StatusCode != 405 || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without a list: %d %v", res.StatusCode, res.Header)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	r := corsRig(t, friend)
	image := string(picture(1))
	res, _ := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", image, "Origin", friend, "Sec-Fetch-Site", "cross-site")
	h := res.Header
	if res.StatusCode != 200 || h.Get("Access-Control-Allow-Origin") != friend || h.Get("Timing-Allow-Origin") != friend || !slices.Contains(h.Values("Vary"), "Origin") {
		t.Errorf("a friend's: %d %v", res.StatusCode, h)
	}
	readable := strings.Split(strings.ToLower(h.Get("Access-Control-Expose-Headers")), ", ")
	for name := range h {
		switch name {
		case "Cache-Control", "Content-Length", "Content-Type", "Vary", // every page may read these
			"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Timing-Allow-Origin", // these are for the browser
			"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Cross-Origin-Resource-Policy":
		default:
			if !slices.Contains(readable, strings.ToLower(name)) {
				t.Errorf("a page cannot read %s", name)
			}
		}
	}
	for _, name := range []string{"cache-status", "server-timing", "x-request-id", "ratelimit", "ratelimit-policy", "retry-after", "location", "x-route", "x-cache", "x-model-version", "etag", "link"} {
		if !slices.Contains(readable, name) {
			t.Errorf("a page cannot read %s", name)
		}
	}
	if res, _ = r.do(t, "GET", "/v1/models", "", ""); res.Header.Get("Access-Control-Allow-Origin") != "" || !slices.Contains(res.Header.Values("Vary"), "Origin") {
		t.Errorf("without an origin: %v", res.Header)
	}
	if res, _ = r.do(t, "GET", "/v1/models", "", "", "Origin", stranger); res.StatusCode != 200 || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a stranger's GET: %d %v", res.StatusCode, res.Header)
	}
	before := r.runner.count()
	for name, header := range map[string][]string{
		"an origin": {"Origin", stranger}, "a cross-site one": {"Origin", stranger, "Sec-Fetch-Site", "cross-site"}, "none": {"Sec-Fetch-Site", "cross-site"},
		"a file": {"Origin", "null"}, "a sibling": {"Origin", "https://other.example.com", "Sec-Fetch-Site", "same-site"},
	} {
		for _, path := range []string{"/v1/models/shapes/infer", "/v2/models/shapes/infer", "/v1/jobs?model=shapes"} {
			res, body := r.do(t, "POST", path, "text/plain", image, header...)
			if res.StatusCode != 403 || !strings.Contains(body, "may not call this gateway") || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s at %s: %d %s", name, path, res.StatusCode, body)
			}
		}
	}
	if r.runner.count() != before {
		t.Error("a stranger's page has had a model run")
	}
	for name, header := range map[string][]string{
		"its own page": {"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, "its own, over plain HTTP": {"Origin", "http://example.com"},
		"typed": {"Sec-Fetch-Site", "none"}, "no browser": nil, "behind a proxy that changes Host": {"Origin", "https://public.example.net", "Sec-Fetch-Site", "same-origin"},
	} {
		if res, body := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", image, header...); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
}

func TestAdminListenerTakesNothingFromPages(t *testing.T) {
	r := corsRig(t, "*")
	admin := r.adminHandler()
	request := httptest.NewRequest("POST", "/v1/reload", nil)
	request.Header.Set("Origin", stranger)
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, request)
	if w.Code != 403 || len(r.admin.reloads) != 0 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v, %v", w.Code, w.Header(), r.admin.reloads)
	}
	request.Header.Del("Origin")
	w = httptest.NewRecorder()
	admin.ServeHTTP(w, request)
	if w.Code >= 300 || len(r.admin.reloads) != 1 {
		t.Errorf("without a page: %d", w.Code)
	}
}

// Every route of both listeners, without and with a key, allowed and not.
func TestHeadersOfEveryRoute(t *testing.T) {
	r := newRig(t, func(d *serverDeps) {
		d.Browsers = browserRules{origins: (&CORS{Origins: []string{friend}}).open(), hsts: time.Hour}
	})
	type listener struct {
		name    string
		handler http.Handler
		routes  []string
	}
	var public []string
	for _, route := range r.publicRoutes().Routes() {
		public = append(public, route.Method+" "+route.Path)
	}
	if len(public) < 40 {
		t.Fatalf("only %d routes", len(public))
	}
	public = append(public, "GET /nowhere", "PATCH /v1/models", "OPTIONS /v1/models")
	for _, l := range []listener{{"public", r.handler(), public}, {"admin", r.adminHandler(), []string{"POST /v1/reload", "DELETE /v1/cache", "GET /metrics", "GET /livez", "GET /nowhere", "GET /debug/pprof/cmdline", "POST /v2/repository/index"}}} {
		for _, route := range l.routes {
			method, path, _ := strings.Cut(route, " ")
			if method == http.MethodConnect || method == http.MethodTrace {
				continue
			}
			path = strings.NewReplacer(":model", "shapes", ":version", "1", ":file", "circle.png", ":sha256", strings.Repeat("0", 64), ":id", "x", "*path", "/models", "*name", "/app.js", ":digest", "0", ":name", "r").Replace(path)
			for _, who := range []string{"", friend, stranger} {
				for _, key := range []string{"", "Authorization", "X-Api-Key"} {
					request := httptest.NewRequest(method, "https://gateway.example"+path, strings.NewReader("{}"))
					if who != "" {
						request.Header.Set("Origin", who)
					}
					if key != "" {
						request.Header.Set(key, "Bearer x")
					}
					w := httptest.NewRecorder()
					l.handler.ServeHTTP(w, request)
					checkHeaders(t, l.name, route, who, key, w.Result())
				}
			}
		}
	}
}

func checkHeaders(t *testing.T, listener, route, who, key string, res *http.Response) {
	t.Helper()
	h := res.Header
	say := func(what string) {
		t.Errorf("%s, %s, page %q, key %q: %d: %s: %v", listener, route, who, key, res.StatusCode, what, h)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			say(name)
		}
	}
	if csp := h.Values("Content-Security-Policy"); len(csp) != 1 || !strings.Contains(csp[0], "default-src 'none'") || !strings.Contains(csp[0], "frame-ancestors 'none'") {
		say("Content-Security-Policy")
	}
	if h["Set-Cookie"] != nil || h["Access-Control-Allow-Credentials"] != nil || h["X-Request-Id"] == nil {
		say("a cookie, credentials, or no id")
	}
	transport := ""
	if listener == "public" {
		transport = "max-age=3600"
	}
	if h.Get("Strict-Transport-Security") != transport {
		say("Strict-Transport-Security")
	}
	allowed := ""
	if who == friend && listener == "public" {
		allowed = friend
	}
	if h.Get("Access-Control-Allow-Origin") != allowed || (allowed != "") != (h.Get("Access-Control-Expose-Headers") != "") {
		say("Access-Control-Allow-Origin")
	}
	if listener == "public" && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
		say("Vary")
	}
	control := h.Get("Cache-Control")
	if key != "" && !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
		say("Cache-Control")
	}
	if key != "" && strings.Contains(control, "public") {
		say("Cache-Control is public")
	}
}

func TestHSTSIsForTLSAlone(t *testing.T) {
	r := newRig(t, func(d *serverDeps) { d.Browsers = browserRules{hsts: time.Hour} })
	if res, _ := r.do(t, "GET", "/livez", "", ""); res.Header.Get("Strict-Transport-Security") != "" {
		t.Error("it is sent over plain HTTP")
	}
}

func TestAnswersToKeysAreKeptByNobodyElse(t *testing.T) {
	r := newRig(t)
	const row = "/v1/models/iris/infer?sepal_length=5.1&sepal_width=3.5&petal_length=1.4&petal_width=0.2"
	for _, c := range []struct{ path, key, control, vary string }{
		{row, "", "public, max-age=3600", ""},
		{row, "Authorization", "private, max-age=3600", "Authorization, X-API-Key"},
		{row, "X-API-Key", "private, max-age=3600", "Authorization, X-API-Key"},
		{"/v1/models/shapes/samples/circle.png", "Authorization", "private, max-age=300", "Authorization, X-API-Key"},
		{"/v1/models", "", "", ""},
		{"/v1/models", "Authorization", "no-store", ""},
		{"/v1/stats", "X-API-Key", "no-store", ""},
	} {
		var header []string
		if c.key != "" {
			header = []string{c.key, "k"}
		}
		res, body := r.do(t, "GET", c.path, "", "", header...)
		if res.StatusCode != 200 || res.Header.Get("Cache-Control") != c.control || res.Header.Get("Vary") != c.vary {
			t.Errorf("%s %s: %d %v %s", c.path, c.key, res.StatusCode, res.Header, body)
		}
	}
}
