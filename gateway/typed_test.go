package gateway

import (
	"errors"
	"flag"
	"net/http/httptest"
	"strings"
	"testing"

	"triton-gateway/internal/committed"
	"triton-gateway/internal/fault"
)

// update rewrites files that tests compare with.
var update = flag.Bool("update", false, "rewrite the committed documents")

func TestModelList(t *testing.T) {
	r := newRig(t)
	res, body := r.do(t, "GET", "/v1/models", "", "")
	list := decode[struct{ Models []ModelSummary }](t, body).Models
	if res.StatusCode != 200 || len(list) != 5 || strings.Contains(body, "$schema") {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if b := list[0]; b.Name != "broken" || b.Ready || b.Error != "config.pbtxt:3: unknown field" || b.Task != "" {
		t.Errorf("%+v", b)
	}
	if s := list[3]; s.Name != "shapes" || !s.Ready || s.Task != "image-classification" || len(s.Versions) != 2 || s.Samples[0] != "circle.png" {
		t.Errorf("%+v", s)
	}
	if p := list[2]; len(p.Warnings) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestOneModel(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "GET", "/v1/models/shapes-detector", "", "")
	m := decode[modelView](t, body)
	if m.Name != "shapes-detector" || m.TaskSource != "task.yaml" || m.MaxBatchSize != 8 || m.Inputs[0].Datatype != "FP32" || len(m.Inputs[0].Shape) != 3 ||
		m.Preprocess.Resize.Mode != "shortest-edge" || m.Preprocess.Crop[0] != 64 || *m.Postprocess.Confidence != .25 || m.Labels[3] != "star" {
		t.Errorf("%s", body)
	}
	if m.Example.Curl != "curl -F image=@picture.jpg 'http://example.com/v1/models/shapes-detector/infer'" {
		t.Error(m.Example.Curl)
	}
	_, body = r.do(t, "GET", "/v1/models/iris", "", "")
	m = decode[modelView](t, body)
	if len(m.Columns) != 4 || m.Columns[1].Name != "sepal_width" || *m.Columns[1].Max != 20 || !strings.Contains(m.Example.Curl, `"petal_width":5`) || m.Preprocess != nil {
		t.Errorf("%s", body)
	}
	_, body = r.do(t, "GET", "/v1/models/plain", "", "")
	if m = decode[modelView](t, body); !strings.Contains(m.Example.Curl, `"inputs"`) {
		t.Errorf("%s", body)
	}
	_, body = r.do(t, "GET", "/v1/models/broken", "", "")
	if m = decode[modelView](t, body); m.Error == "" || m.Ready {
		t.Errorf("%s", body)
	}
	req := httptest.NewRequest("GET", "/v1/models/shapes", nil)
	req.Host = "$(reboot)"
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, req)
	if strings.Contains(w.Body.String(), "reboot") {
		t.Error("a Host header got into the command line")
	}
}

func TestLabelsAndSamples(t *testing.T) {
	r := newRig(t)
	if _, body := r.do(t, "GET", "/v1/models/shapes/labels", "", ""); body != `{"labels":["circle","square","triangle","star","cross"]}`+"\n" {
		t.Error(body)
	}
	if _, body := r.do(t, "GET", "/v1/models/plain/labels", "", ""); body != `{"labels":[]}`+"\n" {
		t.Error(body)
	}
	res, body := r.do(t, "GET", "/v1/models/shapes/samples/circle.png", "", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/png" || body != string(picture(10)) || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestRoutesAndExplain(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "GET", "/v1/routes", "", "")
	routes := decode[struct{ Routes []routeView }](t, body).Routes
	if len(routes) != 5 || routes[3].Name != "shapes" || routes[3].Candidates[0] != (candidateView{"shapes", "2", 100}) || routes[0].Candidates[0].Version != "" {
		t.Errorf("%s", body)
	}
	if _, body = r.do(t, "GET", "/v1/routes/shapes", "", ""); decode[routeView](t, body).Kind != "model" {
		t.Error(body)
	}
	for path, want := range map[string]explainView{
		"/v1/routes/shapes/explain":           {"shapes", "shapes", "2", "policy", "image-classification", "task.yaml", false},
		"/v1/routes/shapes/explain?version=1": {"shapes", "shapes", "1", "requested", "image-classification", "task.yaml", false},
	} {
		for _, send := range []string{"", string(picture(1))} {
			if _, body = r.do(t, "POST", path, "image/png", send); decode[explainView](t, body) != want {
				t.Errorf("%s: %s", path, body)
			}
		}
	}
	checkProblem(t, r, "version", 404, "version_not_found", "", "POST", "/v1/routes/shapes/explain?version=9", "image/png", "x")
	checkProblem(t, r, "bad body", 415, "unsupported_media_type", "", "POST", "/v1/routes/shapes/explain", "", "x")
	if r.runner.count() != 0 || r.budget.Stats().Used != 0 {
		t.Error("explain ran a model or kept the body")
	}
}

func TestAdminListener(t *testing.T) {
	r := newRig(t)
	r.http = r.adminHandler()
	for _, c := range []struct {
		method, path string
		status       int
	}{{"DELETE", "/v1/cache?model=shapes", 204}, {"DELETE", "/v1/cache", 204}, {"DELETE", "/v1/cache?model=none", 404}, {"POST", "/v1/reload", 204},
		{"GET", "/metrics", 200}, {"GET", "/debug/pprof/heap?debug=1", 200}, {"GET", "/livez", 200}, {"GET", "/v1/models", 404}} {
		if res, body := r.do(t, c.method, c.path, "", ""); res.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, body)
		}
	}
	if strings.Join(r.admin.purged, "|") != "shapes|" || len(r.admin.reloads) != 1 {
		t.Errorf("%+v", r.admin)
	}
	r.http = r.handler()
	checkProblem(t, r, "pprof on the public side", 404, "not_found", "", "GET", "/debug/pprof/heap", "", "")
}

func TestStats(t *testing.T) {
	r := newRig(t)
	r.tell()
	for range 4 {
		r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)))
	}
	_, body := r.do(t, "GET", "/v1/stats", "", "")
	s := decode[statsView](t, body)
	if s.Version != "1.2.3" || s.Cache != (cacheView{3, 1, .75}) || len(s.Backends) != 1 || !s.Backends[0].Ready {
		t.Errorf("%s", body)
	}
	r.models.err = fault.New(fault.Unavailable, "backend_unavailable", "nobody is there").Wrap(errors.New("dial 10.0.0.1"))
	_, body = r.do(t, "GET", "/v1/stats", "", "")
	if got := decode[statsView](t, body).Backends; got[0] != (backendView{Name: "embedded", Reason: "nobody is there"}) {
		t.Errorf("backend away: %s", body)
	}
	r.models.err, r.models.models = nil, r.models.models[:1]
	_, body = r.do(t, "GET", "/v1/stats", "", "")
	if got := decode[statsView](t, body).Backends; got[0] != (backendView{Name: "embedded", Reason: "no model is ready"}) {
		t.Errorf("no model ready: %s", body)
	}
	m := s.Models[3]
	if m.Name != "shapes" || m.Count != 4 || len(m.Stages) != 2 || m.Stages[1].Stage != "infer" || m.Stages[1].P50 < 1.8 || m.Stages[1].P99 > 2.2 {
		t.Errorf("%+v", m)
	}
}

// TestOpenAPIIsCommitted fails when the document differs from the committed one; -update rewrites that.
func TestOpenAPIIsCommitted(t *testing.T) {
	r := newRig(t)
	r.build.Version = "dev"
	r.http = r.handler()
	res, body := r.do(t, "GET", "/openapi.json", "", "")
	if res.StatusCode != 200 {
		t.Fatal(res.StatusCode)
	}
	committed.Check(t, "../api/openapi.json", "go test ./gateway -run OpenAPI -update", []byte(body), *update)
}

// TestOpenAPIIsComplete holds the document to the router: each public route is in it, each reference leads somewhere, each error is a problem.
func TestOpenAPIIsComplete(t *testing.T) {
	r := newRig(t)
	_, body := r.do(t, "GET", "/openapi.json", "", "")
	type doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]struct{ Content map[string]any }
		}
		Components struct{ Schemas map[string]any }
	}
	d := decode[doc](t, body)
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Error(d.OpenAPI)
	}
	ids := map[string]string{}
	for _, route := range r.publicRoutes().Routes() {
		path := strings.Replace(pathOf(route.Path), "/v1/routes/{model}/explain", "/v1/routes/{name}/explain", 1)
		if route.Method == "HEAD" || strings.HasPrefix(path, "/ui/") || path == "/" || path == "/docs" || path == "/openapi.json" ||
			underKServe(path) { // has a document of its own, KServe's
			continue
		}
		op, ok := d.Paths[path][strings.ToLower(route.Method)]
		if !ok {
			t.Errorf("%s %s is not documented", route.Method, path)
			continue
		}
		if ids[op.OperationID] != "" {
			t.Errorf("operation id %q is there twice", op.OperationID)
		}
		ids[op.OperationID] = path
		for status, response := range op.Responses {
			if status >= "400" && path != "/readyz" && len(response.Content) != 1 {
				t.Errorf("%s %s %s: %v", route.Method, path, status, response.Content)
			}
		}
	}
	for _, piece := range strings.Split(body, `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(piece, `"`)
		if d.Components.Schemas[name] == nil {
			t.Errorf("the schema %q is not there", name)
		}
	}
	for path, name := range map[string]string{"/v1/models/shapes": "ModelView", "/v1/models/iris": "ModelView", "/v1/stats": "StatsView", "/v1/routes/iris": "RouteView", "/v1/models/none": "Problem"} {
		_, got := r.do(t, "GET", path, "", "")
		isAs(t, body, name, got)
	}
	if strings.Contains(body, "ErrorModel") {
		t.Error("the errors have two schemas")
	}
}

// isAs holds an answer's members to a schema of the OpenAPI document.
func isAs(t *testing.T, document, name, answer string) {
	t.Helper()
	schema := decode[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
				Required   []string
			}
		}
	}](t, document).Components.Schemas[name]
	members := decode[map[string]any](t, answer)
	for key := range members {
		if schema.Properties[key] == nil {
			t.Errorf("%q is not in the schema %s", key, name)
		}
	}
	for _, key := range schema.Required {
		if _, ok := members[key]; !ok {
			t.Errorf("%q is required by the schema %s, and not there", key, name)
		}
	}
}
