package gateway

import (
	"strings"
	"testing"

	"triton-gateway/postprocess"
)

// A graph of rows is asked as a model of rows is: with a row, with several, and by GET. Twice the same model, by their mean, answers as the model itself.
func TestAGraphOfRowsOverHTTP(t *testing.T) {
	r := newRouteRig(t, func(c *Config) {
		c.Graphs = Graphs{"two-looks": graphFile(t, "input: row\nnodes:\n  - {name: a, model: iris, from: input}\n  - {name: b, model: iris, from: input}\n  - {name: out, vote: {method: mean}, from: [a, b]}\n")}
	})
	type rowAnswer struct {
		Model, Task string
		Predictions []postprocess.Prediction
		Results     []rowAnswer
	}
	_, body := r.want(200, "GET", r.public+"/v1/models/two-looks", "", "")
	if m := decode[modelView](t, body); m.Kind != "graph" || len(m.Columns) != 4 || m.Preprocess != nil || m.Example.Body == nil {
		t.Errorf("%s", body)
	}
	same := func(method, path, body string) {
		t.Helper()
		_, got := r.want(200, method, r.public+"/v1/models/two-looks/infer"+path, "application/json", body)
		_, want := r.want(200, method, r.public+"/v1/models/iris/infer"+path, "application/json", body)
		g, w := decode[rowAnswer](t, got), decode[rowAnswer](t, want)
		if g.Model != "two-looks" || g.Task != w.Task || !near(g.Predictions, w.Predictions) || len(g.Results) != len(w.Results) || len(g.Predictions)+len(g.Results) == 0 {
			t.Errorf("%s %s: %s, the model says %s", method, path, got, want)
		}
		for i := range w.Results {
			if !near(g.Results[i].Predictions, w.Results[i].Predictions) {
				t.Errorf("row %d: %s, the model says %s", i, got, want)
			}
		}
	}
	same("POST", "", `{"row":{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}`)
	same("POST", "", `{"rows":[[6,3,5,2],[5.1,3.5,1.4,0.2],[5.9,3,4.2,1.5]]}`)
	same("GET", "?sepal_length=5.9&sepal_width=3&petal_length=4.2&petal_width=1.5", "")
	if _, bad := r.want(422, "POST", r.public+"/v1/models/two-looks/infer", "application/json", `{"row":{"sepal_length":5.1}}`); !strings.Contains(bad, "petal_length") {
		t.Errorf("%s", bad)
	}
	if _, bad := r.want(400, "POST", r.public+"/v1/models/two-looks/infer", "image/png", "x"); !strings.Contains(bad, "two-looks") {
		t.Errorf("%s", bad)
	}
}
