package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/caller"
)

// Every route of both listeners is in the table of who may use it, and every line of the table is a route.
func TestEveryRouteSaysWhoMayUseIt(t *testing.T) {
	r := newGatedRig(t)
	served := map[routeKey]bool{}
	for _, e := range []*gin.Engine{r.publicRoutes(), r.adminRoutes()} {
		for _, route := range e.Routes() {
			key := routeKey{route.Method, route.Path}
			served[key] = true
			if _, listed := access[key]; !listed && !underKServe(route.Path) {
				t.Errorf("%s %s is not in the table access", key.method, key.path)
			}
		}
	}
	for key := range access {
		if !served[key] {
			t.Errorf("%s %s is in the table access, and no route", key.method, key.path)
		}
	}
	calls := kserve.Methods()
	for _, route := range kserve.HTTPRoutes() {
		calls = append(calls, route.Call)
	}
	for _, name := range calls {
		if _, listed := kserveAccess[name]; !listed {
			t.Errorf("%s is not in the table kserveAccess", name)
		}
	}
	for name := range kserveAccess {
		if name != "" && !slices.Contains(calls, name) {
			t.Errorf("%s is in the table kserveAccess, and no call", name)
		}
	}
}

// asked is one answer of the matrix.
type asked struct {
	status int
	body   string
	header http.Header
}

// knock sends a request with a key; "" sends none.
func knock(h http.Handler, method, path, key string) asked {
	body := ""
	if method == http.MethodPost || method == http.MethodPut {
		body = "{}"
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if strings.HasPrefix(path, "/debug/pprof/profile") || strings.HasPrefix(path, "/debug/pprof/trace") {
		ctx, cancel := context.WithCancel(r.Context())
		cancel() // they would take half a minute
		r = r.WithContext(ctx)
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return asked{w.Code, w.Body.String(), w.Header()}
}

func (a asked) letIn() bool {
	return a.status != http.StatusUnauthorized && a.status != http.StatusForbidden
}

// checkRoute asks one route in the name of everybody.
func checkRoute(t *testing.T, h http.Handler, method, path string, n need, other func(a asked) bool) {
	t.Helper()
	refused := func(key string, status int, words ...string) {
		t.Helper()
		a := knock(h, method, path, key)
		if a.status != status || status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" && !underKServe(path) {
			t.Errorf("%s %s with key %q: %d %s, not %d", method, path, key, a.status, a.body, status)
		}
		for _, word := range words {
			if method != http.MethodHead && !strings.Contains(a.body, word) {
				t.Errorf("%s %s with key %q: %s does not say %s", method, path, key, a.body, word)
			}
		}
		if strings.Contains(a.body, key) && key != "" {
			t.Errorf("%s %s: the answer shows the key: %s", method, path, a.body)
		}
	}
	if n.open {
		for _, key := range []string{"", "expired-a", "nonsense", "all-a"} {
			if a := knock(h, method, path, key); !a.letIn() {
				t.Errorf("%s %s is open, and with key %q the answer is %d %s", method, path, key, a.status, a.body)
			}
		}
		return
	}
	refused("", http.StatusUnauthorized, "no key was sent")
	refused("nonsense", http.StatusUnauthorized, "not known")
	refused("expired-a", http.StatusUnauthorized, "expired")
	for scope, key := range map[caller.Scopes]string{caller.Infer: "infer-a", caller.Jobs: "jobs-a", caller.Admin: "admin-a"} {
		if scope == n.scope || n.scope == 0 || n.or != 0 && scope == n.or {
			if a := knock(h, method, path, key); !a.letIn() {
				t.Errorf("%s %s with key %s: %d %s", method, path, key, a.status, a.body)
			}
			continue
		}
		refused(key, http.StatusForbidden, "scope "+n.scope.String())
	}
	if a := knock(h, method, path, "all-a"); !a.letIn() || a.status >= 500 && a.status != 501 {
		t.Errorf("%s %s with the right key: %d %s", method, path, a.status, a.body)
	}
	if a := knock(h, method, path, "all-b"); !other(a) {
		t.Errorf("%s %s for another tenant: %d %s", method, path, a.status, a.body)
	}
}

// The matrix: every route x {no key, unknown, expired, wrong scope, right key, other tenant}, made of the routers' own tables.
func TestAccessMatrix(t *testing.T) {
	r := newGatedRig(t)
	for _, listener := range []struct {
		name   string
		routes *gin.Engine
		h      http.Handler
		admin  bool
	}{{"public", r.publicRoutes(), r.http, false}, {"admin", r.adminRoutes(), r.admin, true}} {
		t.Run(listener.name, func(t *testing.T) {
			count := 0
			for _, route := range listener.routes.Routes() {
				if underKServe(route.Path) {
					continue
				}
				count++
				id := r.job(t)
				r.do(t, "DELETE", "/v1/jobs/"+id, "", "", "X-API-Key", "work-a") // its events end
				path := concrete(route.Path, id)
				other := func(a asked) bool { return a.letIn() }
				if strings.Contains(route.Path, ":id") && !listener.admin { // operators see what is of all on the admin listener
					other = func(a asked) bool {
						return a.status == http.StatusNotFound && strings.Contains(a.body, "not_found")
					}
				}
				checkRoute(t, listener.h, route.Method, path, needOf(route.Method, route.Path).on(listener.admin), other)
			}
			for _, route := range kserve.HTTPRoutes() {
				count++
				checkRoute(t, listener.h, route.Method, route.Path, needOfCall(route.Call).on(listener.admin), asked.letIn)
			}
			for _, path := range []string{"/nowhere", "/v1/nowhere", "/v2/nowhere", "/v1/models/"} {
				checkRoute(t, listener.h, "GET", path, anybody.on(listener.admin), func(a asked) bool { return a.status == http.StatusNotFound })
			}
			if count < 30 {
				t.Errorf("%d routes", count)
			}
		})
	}
}

func TestMetricsAreInsideOnceCallersAreAsked(t *testing.T) {
	r := newGatedRig(t)
	if a := knock(r.http, "GET", "/metrics", "all-a"); a.status != http.StatusNotFound {
		t.Errorf("public: %d", a.status)
	}
	a := knock(r.admin, "GET", "/metrics", "admin-a")
	if a.status != http.StatusOK || !strings.Contains(a.body, "gateway_auth_refused_total") && !strings.Contains(a.body, "gateway_http_requests_in_flight") {
		t.Errorf("admin: %d %s", a.status, a.body)
	}
	if open := newRig(t); knock(open.http, "GET", "/metrics", "").status != http.StatusOK {
		t.Error("without authentication /metrics is on the public listener")
	}
}

func TestWithoutAuthenticationOperatorsAreInside(t *testing.T) {
	r := newRig(t)
	for _, route := range [][2]string{{"DELETE", "/v1/cache"}, {"POST", "/v1/reload"}} {
		if a := knock(r.http, route[0], route[1], "all-a"); a.status != http.StatusForbidden || !strings.Contains(a.body, "listen.admin") {
			t.Errorf("%s: %d %s", route[1], a.status, a.body)
		}
		if a := knock(r.adminHandler(), route[0], route[1], ""); a.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", route[1], a.status, a.body)
		}
	}
}

// A key is never written down; its id and tenant are.
func TestLogOfCallers(t *testing.T) {
	r := newGatedRig(t)
	knock(r.http, "GET", "/v1/models", "all-a")
	knock(r.http, "GET", "/v1/models", "nonsense-key")
	knock(r.http, "GET", "/v1/jobs", "infer-a")
	log := r.log.String()
	if !strings.Contains(log, `"key":"all-a","tenant":"a"`) || !strings.Contains(log, `"key":"infer-a"`) || strings.Contains(log, "nonsense") || strings.Contains(log, "Bearer") {
		t.Error(log)
	}
}
