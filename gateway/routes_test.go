package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/parts"
)

func samplePicture(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts.Root(t), "model_repository", "shapes", "golden", "circle.png"))
	if err != nil {
		list, _ := filepath.Glob(filepath.Join(parts.Root(t), "model_repository", "shapes", "golden", "*.png"))
		if len(list) == 0 {
			t.Fatal(err)
		}
		if data, err = os.ReadFile(list[0]); err != nil {
			t.Fatal(err)
		}
	}
	return string(data)
}

func withRoutes(c *Config) {
	c.Routes = Routes{
		"shapes-ab": shapesAB(50, 50),
		"iris-ab":   {Candidates: []route.Candidate{{Target: route.Target{Model: "iris"}, Weight: 1}}},
		"mixed":     {Candidates: []route.Candidate{{Target: route.Target{Model: "iris"}, Weight: 1}, {Target: route.Target{Model: "shapes"}, Weight: 1}}},
		"diabetes":  {Candidates: []route.Candidate{{Target: route.Target{Model: "digits"}, Weight: 1}}},
		"lost":      {Candidates: []route.Candidate{{Target: route.Target{Model: "nowhere"}, Weight: 1}}},
	}
}

// TestARouteIsCalledAsAModelIs: everywhere, and what is stored of one version is never the answer of the other.
func TestARouteIsCalledAsAModelIs(t *testing.T) {
	r := newRouteRig(t, withRoutes)
	picture := samplePicture(t)
	infer := r.public + "/v1/models/shapes-ab/infer"
	sides := map[string]string{}
	for round := range 2 {
		for i := range 16 {
			user := fmt.Sprint("user-", i)
			res, body := r.want(200, "POST", infer, "image/png", picture, "X-User", user)
			version := res.Header.Get("X-Model-Version")
			if got, want := res.Header.Get("X-Route"), "shapes/"+version+"; reason=sticky:header:X-User; route=shapes-ab"; got != want {
				t.Fatalf("X-Route %q, not %q", got, want)
			}
			doc := decode[struct {
				Model, Version string
				Cached         bool `json:"from_cache"`
			}](t, body)
			if doc.Model != "shapes" || doc.Version != version || round == 1 && (sides[user] != version || !doc.Cached) {
				t.Fatalf("%s: version %s in the header, %+v in the answer, %s before", user, version, doc, sides[user])
			}
			sides[user] = version
			// The digest alone finds the answer of the user's own side.
			byDigest, _ := r.want(200, "GET", r.public+fmt.Sprintf("/v1/models/shapes-ab/results/%x", sha256.Sum256([]byte(picture))), "", "", "X-User", user)
			if got := byDigest.Header.Get("X-Model-Version"); got != version {
				t.Fatalf("by digest version %s, else %s", got, version)
			}
			// explain says the same.
			_, text := r.want(200, "POST", r.public+"/v1/routes/shapes-ab/explain", "image/png", picture, "X-User", user)
			if x := decode[explainView](t, text); x.Version != version || x.Model != "shapes" || x.Route != "shapes-ab" || x.Reason != "sticky:header:X-User" {
				t.Fatalf("explained as %+v", x)
			}
		}
	}
	count := map[string]int{}
	for _, v := range sides {
		count[v]++
	}
	if count["1"] < 2 || count["2"] < 2 {
		t.Errorf("%v", count)
	}
	res, body := r.want(200, "POST", r.public+"/v1/models/shapes-ab/preview", "image/png", picture)
	if !strings.HasPrefix(body, "\x89PNG") || !strings.Contains(res.Header.Get("X-Route"), "route=shapes-ab") {
		t.Errorf("preview: %s", res.Header.Get("X-Route"))
	}
	_, body = r.want(400, "POST", infer+"?version=1", "image/png", picture)
	if !strings.Contains(body, `\"shapes-ab\" is a route, which chooses the version itself`) {
		t.Error(body)
	}
	form, several := makeForm("@image", picture, "@image", picture)
	res, body = r.want(200, "POST", infer, form, several)
	if got := decode[struct {
		Model, Version string
		Results        []struct{ Version string }
	}](t, body); got.Model != "shapes" || len(got.Results) != 2 || got.Results[0].Version != got.Results[1].Version || got.Version != res.Header.Get("X-Model-Version") {
		t.Errorf("the items of a call went apart: %+v", got)
	}
	// Rows, in the query and in a body, and a job of each.
	res, _ = r.want(200, "GET", r.public+"/v1/models/iris-ab/infer?sepal_length=5.1&sepal_width=3.5&petal_length=1.4&petal_width=0.2", "", "")
	if got := res.Header.Get("X-Route"); got != "iris/1; reason=weight; route=iris-ab" {
		t.Error(got)
	}
	_, body = r.want(202, "POST", r.public+"/v1/jobs?model=iris-ab", typeJSON, `{"rows":[[5.1,3.5,1.4,0.2],[6,3,5,2]]}`)
	_, body = r.want(200, "GET", r.public+"/v1/jobs/"+decode[jobDoc](t, body).ID+"?wait=20s", "", "")
	if job := decode[jobDoc](t, body); job.State != "succeeded" || !strings.Contains(string(job.Result), `"model":"iris","version":"1"`) {
		t.Error(body)
	}
	for _, c := range []struct{ path, kind, body, says string }{
		{"mixed", typeJSON, `{"row":[1,2,3,4]}`, "have different tasks"},
		{"lost", typeJSON, `{"row":[1,2,3,4]}`, "nowhere is not there"},
	} {
		if _, body = r.want(503, "POST", r.public+"/v1/models/"+c.path+"/infer", c.kind, c.body); !strings.Contains(body, c.says) {
			t.Errorf("%s: %s", c.path, body)
		}
	}
	_, body = r.want(200, "POST", r.public+"/v1/routes/diabetes/explain", "", "")
	if x := decode[explainView](t, body); x.Model != "diabetes" || x.Reason != "policy" {
		t.Errorf("a route has taken a model's name: %+v", x)
	}
	banner := strings.Join(strings.Fields(r.Gateway.Banner()), " ")
	for _, line := range []string{"route shapes-ab shapes/1, shapes/2 ready", "route lost nowhere NOT READY:", "route diabetes digits HIDDEN: a model has its name"} {
		if !strings.Contains(banner, line) {
			t.Errorf("%q is missing in %s", line, banner)
		}
	}
	_, metrics := r.want(200, "GET", r.inside+"/metrics", "", "")
	for _, want := range []string{`gateway_route_requests_total{model="iris",reason="weight",route="iris-ab",version="1"} 3`, `gateway_route_requests_total{model="shapes",reason="sticky",route="shapes-ab",version="2"}`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestRoutesAreShown: among the models, among the routes with what is wrong, and on /v2.
func TestRoutesAreShown(t *testing.T) {
	r := newRouteRig(t, withRoutes)
	_, body := r.want(200, "GET", r.public+"/v1/models", "", "")
	kinds := map[string]string{}
	for _, m := range decode[struct{ Models []ModelSummary }](t, body).Models {
		kinds[m.Name] = m.Kind + " " + m.Error
	}
	if kinds["shapes-ab"] != "route " || kinds["diabetes"] != "model " || !strings.Contains(kinds["mixed"], "different tasks") || !strings.Contains(kinds["lost"], "nowhere is not there") {
		t.Errorf("%v", kinds)
	}
	_, body = r.want(200, "GET", r.public+"/v1/models/shapes-ab", "", "")
	if m := decode[modelView](t, body); m.Task != "image-classification" || len(m.Versions) != 2 || m.Versions[0].Version != "2" || len(m.Labels) != 5 || m.TaskSource != "route" {
		t.Errorf("%+v", m)
	}
	_, body = r.want(200, "GET", r.public+"/v1/routes", "", "")
	routes := map[string]routeView{}
	for _, v := range decode[struct{ Routes []routeView }](t, body).Routes {
		routes[v.Kind+" "+v.Name] = v
	}
	ab := routes["route shapes-ab"]
	if len(ab.Candidates) != 2 || ab.Candidates[1] != (candidateView{"shapes", "2", 50}) || ab.Source != "gateway.yaml" || ab.Spec.Sticky != "header:X-User" || len(ab.Warnings) != 0 {
		t.Errorf("%+v", ab)
	}
	if m := routes["model shapes"]; len(m.Candidates) != 1 || m.Candidates[0] != (candidateView{"shapes", "2", 100}) || m.Spec != nil {
		t.Errorf("%+v", m)
	}
	for name, says := range map[string]string{"diabetes": "a model is called", "lost": `candidates[0].model: there is no model "nowhere"`, "mixed": "candidates[1].model: iris (tabular-classification) and shapes (image-classification) have different tasks"} {
		if w := routes["route "+name].Warnings; len(w) != 1 || !strings.HasPrefix(w[0], says) {
			t.Errorf("%s: %q", name, w)
		}
	}
	// KServe v2.
	for path, want := range map[string]string{
		"/v2/models/shapes-ab":       `{"name":"shapes-ab","versions":["1","2"],`,
		"/v2/models/iris-ab/config":  `"name":"iris-ab"`,
		"/v2/models/iris-ab/ready":   "",
		"/v2/models/shapes-ab.image": `{"name":"shapes-ab.image"`,
	} {
		if _, body := r.want(200, "GET", r.public+path, "", ""); !strings.Contains(strings.ReplaceAll(body, ": ", ":"), want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	tensors := `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,4],"data":[5.1,3.5,1.4,0.2]}]}`
	res, body := r.want(200, "POST", r.public+"/v2/models/iris-ab/infer", typeJSON, tensors)
	answer := decode[struct {
		Name    string `json:"model_name"`
		Version string `json:"model_version"`
		Outputs []json.RawMessage
	}](t, body)
	if answer.Name != "iris-ab" || answer.Version != "1" || len(answer.Outputs) != 1 || res.Header.Get("X-Route") != "iris/1; reason=weight; route=iris-ab" {
		t.Errorf("%s %+v", res.Header.Get("X-Route"), answer)
	}
	if res, _ = r.send("POST", r.public+"/v2/models/iris-ab/versions/1/infer", typeJSON, tensors); res.StatusCode != 400 {
		t.Errorf("a version of a route: %d", res.StatusCode)
	}
	if res, _ = r.want(200, "POST", r.public+"/v2/models/iris/infer", typeJSON, tensors); res.Header.Get("X-Route") != "" {
		t.Error("a model has an X-Route on /v2")
	}
	_, index := r.want(200, "POST", r.public+"/v2/repository/index", typeJSON, `{}`)
	if !strings.Contains(index, `"shapes-ab.image"`) {
		t.Error(index)
	}
}
