package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/audit"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

func auditTo(t *testing.T, path string) auditor {
	t.Helper()
	l, err := audit.Open(path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return auditor{l}
}

// stories tells each line in short, and checks the chain.
func stories(t *testing.T, path string) (list []string) {
	t.Helper()
	if _, _, _, err := VerifyAudit(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		e := decode[audit.Entry](t, line)
		list = append(list, strings.Join([]string{e.Stage, e.Action, e.Target, e.Outcome, e.RequestID}, " "))
		if e.Address == "" && e.RequestID != "" {
			t.Errorf("no address: %s", line)
		}
	}
	return list
}

// TestAuditOfHTTP: what is done has two lines, what is refused has one, and what anybody may do has none.
func TestAuditOfHTTP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	r := newRig(t, func(d *serverDeps) { d.Audit = auditTo(t, path) })
	inside := r.adminHandler()
	for _, c := range []struct{ method, path, id string }{{"DELETE", "/v1/cache?model=iris", "a"}, {"POST", "/v1/reload", "b"}, {"DELETE", "/v1/cache?model=none", "c"}, {"GET", "/v1/jobs", "d"}} {
		q := httptest.NewRequest(c.method, c.path, nil)
		q.Header.Set("X-Request-Id", c.id)
		inside.ServeHTTP(httptest.NewRecorder(), q)
	}
	refused := &state{status: 403, code: "forbidden", id: "e"}
	refused.who = &caller.Caller{ID: "web", Tenant: "a"}
	r.auditRefused(refused, httptest.NewRequest("POST", "/v2/repository/models/m/load", nil))
	r.auditRefused(&state{status: 403, code: "forbidden", id: "f"}, httptest.NewRequest("POST", "/v1/models/iris/infer", nil))
	want := []string{"asked cache.purge iris  a", "ended cache.purge iris done a", "asked models.reload   b", "ended models.reload  done b", "refused model.load m forbidden e"}
	if got := stories(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Join(r.admin.purged, ",") != "iris" || len(r.admin.reloads) != 1 {
		t.Errorf("purged %v, reloaded %v", r.admin.purged, r.admin.reloads)
	}
}

// TestAuditFirst: what cannot be written down is not done.
func TestAuditFirst(t *testing.T) {
	a := auditTo(t, filepath.Join(t.TempDir(), "audit.jsonl"))
	r := newRig(t, func(d *serverDeps) { d.Audit = a })
	if err := a.log.Close(); err != nil { // the file is gone
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.adminHandler().ServeHTTP(w, httptest.NewRequest("DELETE", "/v1/cache", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "audit_unavailable") || len(r.admin.purged) != 0 {
		t.Errorf("%d %s; purged %v", w.Code, w.Body, r.admin.purged)
	}
}

// TestAuditOfCalls: as package kserve asks for it, with who calls and from where; a panic has its line, too.
func TestAuditOfCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := auditTo(t, path)
	ctx := caller.With(t.Context(), &caller.Caller{ID: "ops", Tenant: "b"})
	done, err := a.Begin(ctx, actLoad, "m", "10.0.0.1:5")
	if err != nil {
		t.Fatal(err)
	}
	done(fault.New(fault.NotFound, "model_not_found", "x"))
	a.Refused(ctx, actUnload, "m", "10.0.0.1:5", fault.New(fault.Forbidden, "forbidden", "x"))
	func() {
		defer func() { _ = recover() }()
		_ = a.do(ctx, actRetry, "j", func() error { panic("x") })
	}()
	want := []string{"asked model.load m  ", "ended model.load m model_not_found ", "refused model.unload m forbidden ", "asked job.retry j  ", "ended job.retry j internal "}
	if got := stories(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Count(string(data), `"caller":"ops","tenant":"b"`) != 5 || strings.Count(string(data), `"address":"10.0.0.1:5"`) != 3 {
		t.Errorf("%s", data)
	}
	if err := (auditor{}).do(context.Background(), "x", "", func() error { return errPanicked }); !errors.Is(err, errPanicked) {
		t.Errorf("without a log: %v", err)
	}
}

func TestActions(t *testing.T) {
	for in, want := range map[string]string{
		"DELETE /v1/cache": "cache.purge ", "POST /v1/reload": "models.reload ", "POST /v1/jobs/J/retry": "job.retry J", "PUT /v1/routes/r": "route.put r", "DELETE /v1/routes/r": "route.delete r",
		"POST /v2/repository/models/m/load": "model.load m", "POST /v2/repository/models/m/unload": "model.unload m",
		"GET /v1/cache": " ", "POST /v1/jobs": " ", "POST /v1/jobs//retry": " ", "POST /v1/jobs/a/b/retry": " ", "PUT /v1/routes/": " ", "POST /v2/repository/models/m/config": " ", "POST /v1/cache": " ", "HEAD /v1/routes/r": " ",
	} {
		method, path, _ := strings.Cut(in, " ")
		if action, target := actionOf(method, path); action+" "+target != want {
			t.Errorf("%s is %q %q", in, action, target)
		}
	}
}
