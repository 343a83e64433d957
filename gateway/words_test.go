package gateway

import (
	"strings"
	"testing"

	"triton-gateway/gateway/catalog"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
)

// Whoever mistypes a name is shown graphs and routes too, and whoever switches one of those, or writes a route wrong, is told what it is, where, and what is expected.
func TestNamesAndBodiesAreExplained(t *testing.T) {
	r := newRouteRig(t, func(c *Config) { withRoutes(c); c.Graphs = demoGraph(t) })
	put := func(body string) (method, url, kind, text string) {
		return "PUT", r.inside + "/v1/routes/mine", typeJSON, body
	}
	type request struct{ method, url, kind, body string }
	ask := func(method, url, kind, body string) request { return request{method, url, kind, body} }
	for _, c := range []struct {
		status int
		request
		says []string
	}{
		{415, ask("POST", r.public+"/v1/models/stories/infer", typeJSON, `{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["one"]}]}`), []string{"ask /v1/models/stories/stream or /v2/models/stories/generate_stream"}},
		{404, ask("GET", r.public+"/v1/models/shapes-a", "", ""), []string{`there is no model \"shapes-a\"; did you mean \"shapes\" or \"shapes-ab\"?`}},
		{404, ask("GET", r.public+"/v1/routes/find-and-nam", "", ""), []string{`did you mean \"find-and-name\"?`}},
		{404, ask("POST", r.public+"/v1/models/iris-a/infer", typeJSON, `{"row":[1]}`), []string{`\"iris-ab\"`}},
		{404, ask("POST", r.inside+"/v1/models/shapes-ab/switch", typeJSON, `{"to":"1"}`), []string{"model_not_found", `\"shapes-ab\" is a route, and a switch is of a model; PUT /v1/routes/shapes-ab moves its traffic`}},
		{404, ask("GET", r.inside+"/v1/models/shapes-ab/switch", "", ""), []string{`\"shapes-ab\" is a route`}},
		{404, ask("DELETE", r.inside+"/v1/models/shapes-ab/switch", "", ""), []string{`\"shapes-ab\" is a route`}},
		{404, ask("POST", r.inside+"/v1/models/find-and-name/switch/rollback", "", ""), []string{`\"find-and-name\" is a graph, and a switch is of a model`}},
		{404, ask("POST", r.inside+"/v1/models/shapez/switch", typeJSON, `{"to":"1"}`), []string{`did you mean \"shapes\"`}},
		{400, ask("POST", r.inside+"/v1/models/shapes/switch", typeJSON, `{"to":2}`), []string{"serves already"}},
		{422, ask("POST", r.inside+"/v1/models/shapes/switch", typeJSON, `{"to":"two"}`), []string{`"location":"body.to","message":"expected the number of a version, such as 2"`}},
		{422, ask("POST", r.inside+"/v1/models/shapes/switch", typeJSON, `{"to":-1}`), []string{"body.to"}},
		{422, ask("POST", r.inside+"/v1/models/shapes/switch", typeJSON, `{"to":""}`), []string{"body.to"}},
		{415, ask("PUT", r.inside+"/v1/routes/mine", "application/x-www-form-urlencoded", "{}"), []string{`"location":"header.Content-Type"`, `\"application/x-www-form-urlencoded\" is not taken; send application/json`}},
		{400, ask(put(`{"candidates":[{"model":"shaps","weight":1}]}`)), []string{`body.candidates[0].model: there is no model \"shaps\"; did you mean \"shapes\"`}},
		{422, ask(put(`{"candidates":[{"model":"shapes","weight":1}],"canary":{"model":"shapes","every":"5 minutes"}}`)), []string{`"location":"body.canary.every"`, "a time such as 5m"}},
		{422, ask(put(`{"candidates":[{"model":"shapes","version":"x","weight":1}]}`)), []string{`"location":"body.candidates[0].version","message":"expected the number of a version, such as 2"`}},
	} {
		if _, body := r.want(c.status, c.method, c.url, c.kind, c.body); !holds(body, c.says) {
			t.Errorf("%s %s %s: %s, not %q", c.method, c.url, c.body, body, c.says)
		}
	}
	if v := r.wantSwitch("shapes", `{"to":1}`); v.Serving != "1" {
		t.Errorf("a version as a number: %+v", v)
	}
}

func (r *routeRig) wantSwitch(model, body string) switchView {
	r.Helper()
	_, text := r.want(200, "POST", r.inside+"/v1/models/"+model+"/switch", typeJSON, body)
	return decode[switchView](r.T, text)
}

func holds(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

func TestUnlikeModelsSayWhatTheyTake(t *testing.T) {
	model := func(name string, edit func(*task.Spec)) *catalog.Model {
		s := &task.Spec{Task: task.Raw}
		edit(s)
		return &catalog.Model{Name: name, Spec: s, Config: &modelconfig.Config{}}
	}
	pictures := model("a", func(s *task.Spec) { s.Preprocess = &task.Preprocess{} })
	rows := model("b", func(s *task.Spec) { s.Input.Columns = make([]string, 1) })
	tensors := model("c", func(*task.Spec) {})
	for _, c := range []struct {
		a, b *catalog.Model
		want string
	}{
		{pictures, rows, "a and b take different kinds of input: pictures and rows"},
		{rows, tensors, "b and c take different kinds of input: rows and tensors"},
		{tensors, pictures, "c and a take different kinds of input: tensors and pictures"},
		{pictures, pictures, ""},
	} {
		if got := unlike(c.a, c.b); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}

func TestManyOptionsHaveNoneOfThatName(t *testing.T) {
	var o options
	for place, want := range map[string]string{"options": "the options have no option \"topk\"; did you mean top_k?", "query": "the query has no option \"topk\"; did you mean top_k?"} {
		if got := faultOf(o.unknown(place, "topk")).Detail; got != want {
			t.Errorf("%s", got)
		}
	}
}
