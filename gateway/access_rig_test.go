package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/auth"
	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// noModels is a catalog without models, and what runs none of them.
type noModels struct{}

func (noModels) Lookup(name string) (*catalog.Model, error) {
	return nil, fault.New(fault.NotFound, "model_not_found", "no model %q", name)
}
func (noModels) Models() []*catalog.Model { return nil }
func (noModels) Ready() error             { return nil }
func (noModels) Pass(context.Context, *backend.Request) (*pipeline.Passed, error) {
	return nil, fault.New(fault.NotFound, "model_not_found", "no model")
}
func (noModels) Stream(context.Context, *backend.Request, func(*backend.Response) error) error {
	return fault.New(fault.NotFound, "model_not_found", "no model")
}
func (noModels) Run(context.Context, *pipeline.Request) (*pipeline.Answer, error) {
	return nil, fault.New(fault.NotFound, "model_not_found", "no model")
}
func (noModels) Admit(context.Context, string, string, int64) (func(), error) {
	return func() {}, nil
}

// gatedRig is a server with jobs whose callers have to say who they are. The keys are named for what they are.
type gatedRig struct {
	*jobRig
	kserve *kserve.Server
	admin  http.Handler
}

// testKeys are a keys file: a key's text is its id.
func testKeys() string {
	var b strings.Builder
	b.WriteString("keys:\n")
	for _, k := range []struct{ id, tenant, scopes, more string }{
		{"infer-a", "a", "infer", ""}, {"jobs-a", "a", "jobs", ""}, {"admin-a", "a", "admin", ""}, {"all-a", "a", "infer, jobs, admin", ", tier: gold"}, {"work-a", "a", "infer, jobs", ""},
		{"all-b", "b", "infer, jobs, admin", ""}, {"work-b", "b", "infer, jobs", ""}, {"expired-a", "a", "infer, jobs, admin", ", expires: 2020-01-01T00:00:00Z"},
	} {
		fmt.Fprintf(&b, "- {id: %s, sha256: \"%x\", tenant: %s, scopes: [%s]%s}\n", k.id, sha256.Sum256([]byte(k.id)), k.tenant, k.scopes, k.more)
	}
	return b.String()
}

func newGatedRig(t testing.TB) *gatedRig {
	t.Helper()
	r := &gatedRig{jobRig: newJobRig(t, true)}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(testKeys()), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(t.Context(), auth.Config{KeysFile: path, Log: quietLog(), Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	r.server.gate = &gate{callers: a, refused: r.server.metrics.refused}
	r.kserve = kserve.New(kserve.Deps{Runner: noModels{}, Models: noModels{}, Codes: kserveCodes, Gate: r.server.gate, Log: quietLog(), Limits: kserve.Limits{Message: 1 << 20, Timeout: time.Minute, Streams: 100}})
	t.Cleanup(func() { _ = r.kserve.Shutdown(context.Background()) })
	r.server.kserve = r.kserve
	r.http, r.admin = r.handler(), r.adminHandler()
	return r
}

// job hands a job in for tenant a.
func (r *gatedRig) job(t testing.TB) (id string) {
	t.Helper()
	res, body := r.do(t, "POST", "/v1/jobs?model=shapes", "image/png", string(picture(1)), "X-API-Key", "work-a")
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	return decode[JobView](t, body).ID
}

// concrete puts values where a route's template has parameters.
func concrete(path, job string) string {
	return strings.NewReplacer(":model", "shapes", ":version", "1", ":sha256", strings.Repeat("ab", 32), ":file", "circle.png", ":id", job, ":digest", "x", "*name", "x.js", ":name", "shapes").Replace(path)
}
