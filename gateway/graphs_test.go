package gateway

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
	"triton-gateway/postprocess"
)

// graphAnswer is a graph's document.
type graphAnswer struct {
	Model, Version, Task string
	Image                struct{ Width, Height int }
	Detections           []detection
	Nodes                map[string]graphNode
	Errors               map[string]graphError
	FromCache            bool `json:"from_cache"`
}

// demoGraph is the graph of the demo.
func demoGraph(t *testing.T) Graphs {
	return Graphs{"find-and-name": filepath.Join(parts.Root(t), "graphs", "find-and-name.yaml")}
}

// graphFile is a file with a graph.
func graphFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graph.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// near compares what was found with what Pillow and ONNX Runtime gave.
func near(got, want []postprocess.Prediction) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if got[i].Label != want[i].Label || got[i].Index != want[i].Index || math.Abs(got[i].Score-want[i].Score) > 1e-4 {
			return false
		}
	}
	return true
}

// Detect, crop and classify is what Pillow and ONNX Runtime give by hand; see training/graph.py.
func TestGraphEqualsTheSameByHand(t *testing.T) {
	root := parts.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "graphs", "golden", "find-and-name.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden := decode[struct {
		Files map[string]struct {
			Width, Height int
			Detections    []detection
		}
	}](t, string(text))
	if len(golden.Files) != 7 {
		t.Fatalf("%d files", len(golden.Files))
	}
	r := newRouteRig(t, func(c *Config) { c.Graphs = demoGraph(t) })
	url := r.public + "/v1/models/find-and-name/infer"
	for name, want := range golden.Files {
		data, err := os.ReadFile(filepath.Join(root, "model_repository", "shapes-detector", "golden", name))
		if err != nil {
			t.Fatal(err)
		}
		res, body := r.want(200, "POST", url, "application/octet-stream", string(data))
		got := decode[graphAnswer](t, body)
		if got.Model != "find-and-name" || got.Version != "1" || got.Task != "object-detection" || got.Image.Width != want.Width || got.Image.Height != want.Height || got.FromCache ||
			res.Header.Get("X-Route") != "find-and-name/1; reason=policy" {
			t.Errorf("%s: %+v, %v", name, got, res.Header)
		}
		if n := got.Nodes["kind"]; n.State != "done" || n.Items != len(want.Detections) || got.Errors != nil {
			t.Errorf("%s: nodes %+v", name, got.Nodes)
		}
		if len(got.Detections) != len(want.Detections) {
			t.Fatalf("%s: %+v", name, got.Detections)
		}
		for i, w := range want.Detections {
			g := got.Detections[i]
			far := max(math.Abs(g.Score-w.Score), math.Abs(g.Box.X1-w.Box.X1), math.Abs(g.Box.Y1-w.Box.Y1), math.Abs(g.Box.X2-w.Box.X2), math.Abs(g.Box.Y2-w.Box.Y2))
			if g.Label != w.Label || g.Index != w.Index || far > 1e-4*float64(want.Width) || math.Abs(g.Score-w.Score) > 1e-4 || !near(g.Predictions, w.Predictions) {
				t.Errorf("%s: %d: %+v, want %+v", name, i, g, w)
			}
		}
		res, again := r.want(200, "POST", url, "application/octet-stream", string(data))
		if again != strings.TrimSuffix(body, "false}")+"true}" || !strings.Contains(res.Header.Get("Cache-Status"), "hit; detail=memory") {
			t.Errorf("%s: asked again: %s %s", name, res.Header.Get("Cache-Status"), again)
		}
	}
}

// A graph is a model to callers: it is listed, described, has samples, options, jobs, a preview and an image model on /v2.
func TestGraphIsAModel(t *testing.T) {
	r := newRouteRig(t, func(c *Config) { c.Graphs = demoGraph(t) })
	_, body := r.want(200, "GET", r.public+"/v1/models/find-and-name", "", "")
	m := decode[modelView](t, body)
	if m.Kind != "graph" || !m.Ready || m.Task != "object-detection" || m.Postprocess.Head != "yolov8" || len(m.Samples) != 7 || len(m.Labels) != 5 || m.Versions[0].Version != "1" ||
		!strings.HasPrefix(m.Description, "Finds shapes in a picture, then names each") {
		t.Errorf("%s", body)
	}
	nodes := []nodeView{
		{Name: "find", Kind: "model", Model: "shapes-detector", From: []string{"input"}},
		{Name: "cut", Kind: "crop", From: []string{"find"}},
		{Name: "kind", Kind: "model", Model: "shapes", From: []string{"cut"}, Answers: true},
	}
	if !reflect.DeepEqual(m.Nodes, nodes) {
		t.Errorf("nodes %+v", m.Nodes)
	}
	if _, list := r.want(200, "GET", r.public+"/v1/models", "", ""); !strings.Contains(list, `"name":"find-and-name","kind":"graph"`) {
		t.Errorf("not listed: %s", list)
	}
	_, sample := r.want(200, "GET", r.public+"/v1/models/find-and-name/samples/star-small-1.png", "", "")
	infer := r.public + "/v1/models/find-and-name/infer"
	if _, none := r.want(200, "POST", infer+"?classes=circle", "image/png", sample); len(decode[graphAnswer](t, none).Detections) != 0 || !strings.Contains(none, `"detections":[]`) {
		t.Errorf("another class was found: %s", none)
	}
	if _, some := r.want(200, "POST", infer+"?confidence=0.3", "image/png", sample); len(decode[graphAnswer](t, some).Detections) == 0 {
		t.Errorf("%s", some)
	}
	_, bad := r.want(400, "POST", infer+"?top_k=3", "image/png", sample)
	if !strings.Contains(bad, "the task object-detection") {
		t.Errorf("%s", bad)
	}
	r.want(400, "POST", infer, "application/json", `{"row":{"a":1}}`)
	r.want(404, "POST", infer+"?version=2", "image/png", sample)
	if res, png := r.want(200, "POST", r.public+"/v1/models/find-and-name/preview", "image/png", sample); res.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(png, "\x89PNG") {
		t.Errorf("preview %v", res.Header)
	}
	_, job := r.want(202, "POST", r.public+"/v1/jobs?model=find-and-name", "image/png", sample)
	id := decode[struct{ ID string }](t, job).ID
	_, done := r.want(200, "GET", r.public+"/v1/jobs/"+id+"?wait=20s", "", "")
	if got := decode[struct {
		State  string
		Result graphAnswer
	}](t, done); got.State != "succeeded" || len(got.Result.Detections) != 1 || got.Result.Detections[0].Predictions[0].Label != "star" {
		t.Errorf("%s", done)
	}
	r.want(200, "GET", r.public+"/v2/models/find-and-name.image/ready", "", "")
	if _, refused := r.want(400, "POST", r.public+"/v2/models/find-and-name/infer", "application/json", `{"inputs":[{"name":"images","datatype":"FP32","shape":[1],"data":[1]}]}`); !strings.Contains(refused, "find-and-name.image") {
		t.Errorf("%s", refused)
	}
	_, meta := r.want(200, "GET", r.public+"/v2/models/find-and-name.image", "", "")
	if !strings.Contains(meta, `"boxes"`) {
		t.Errorf("%s", meta)
	}
}

// What is wrong with a document is told with graph, file, line and column, all of it at once.
func TestGraphFaultsAtTheStart(t *testing.T) {
	c := DefaultConfig()
	c.Graphs = Graphs{"a": graphFile(t, "nodes:\n  - {name: x, model: m, from: y}\n"), "b": graphFile(t, "nodez: []\n"), "c": filepath.Join(t.TempDir(), "none.yaml"), "d": graphFile(t, strings.Repeat("#", 70<<10))}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	_, err := openGraphs(c.Graphs, nil)
	for _, want := range []string{"graphs.a: ", `graph.yaml: [2:31] nodes[0].from: there is no node "y"`, `graphs.b: `, `[1:1] nodez: unknown key; did you mean "nodes"?`, "graphs.c: ", "none.yaml: no such file", "graphs.d: ", "larger than 64 KiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	c.Graphs = Graphs{"a b": "x", "ok": "", "ab": "./x.yaml"}
	c.Routes = Routes{"ab": shapesAB(1, 1)}
	err = c.Validate()
	for _, want := range []string{`unlike "a b"`, "graphs.ok: name the graph's file, such as ./graphs/ok.yaml", "graphs.ab: there is a route of that name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// Graphs that cannot run are listed with the reason, name the node, and take nothing else with them.
func TestGraphsThatCannotRun(t *testing.T) {
	one := func(model, more string) string {
		return graphFile(t, "nodes:\n  - {name: look, model: "+model+", from: input}\n"+more)
	}
	r := newRouteRig(t, func(c *Config) {
		c.Graphs = demoGraph(t)
		c.Graphs["itself"] = one("itself", "")
		c.Graphs["another"] = one("find-and-name", "")
		c.Graphs["nobody"] = one("shapez", "")
		c.Graphs["version"] = graphFile(t, "nodes: [{name: look, model: shapes, version: \"9\", from: input}]")
		c.Graphs["rows"] = one("iris", "")
		c.Graphs["crops"] = one("shapes", "  - {name: cut, crop: {}, from: look}\n  - {name: kind, model: shapes, from: cut}\n")
		c.Graphs["routed"] = one("shapes-ab", "")
		c.Graphs["label"] = graphFile(t, "nodes:\n  - {name: find, model: shapes-detector, from: input}\n  - {name: only, filter: {where: {label: circel}}, from: find}\n")
		c.Routes = Routes{"shapes-ab": shapesAB(1, 1)}
		c.Graphs["shapes"] = one("shapes", "") // a model has that name
	})
	for name, want := range map[string]string{
		"itself":  `\"itself\" is a graph, and a graph asks models alone`,
		"another": `\"find-and-name\" is a graph, and a graph asks models alone`,
		"nobody":  `there is no model \"shapez\"; did you mean \"shapes\"`,
		"routed":  `\"shapes-ab\" is a route, and a graph asks models alone; name one of the models that it leads to`,
		"label":   `nodes[1].filter.where.label: \"circel\" is no label of what \"find\" gives; did you mean \"circle\"?`,
		"version": `model \"shapes\" has no version 9`,
		"rows":    `nodes[0].model: model \"iris\" (tabular-classification) takes rows, and reads the picture`,
		"crops":   `nodes[1].from: \"look\" gives classes, and a crop cannot read that`,
	} {
		if _, body := r.want(503, "POST", r.public+"/v1/models/"+name+"/infer", "image/png", "x"); !strings.Contains(body, want) {
			t.Errorf("%s: %s, want %s", name, body, want)
		}
		if _, body := r.want(200, "GET", r.public+"/v1/models/"+name, "", ""); !strings.Contains(body, want) || !strings.Contains(body, `"ready":false`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	if _, body := r.want(200, "GET", r.public+"/v1/models/shapes", "", ""); decode[modelView](t, body).Kind != "model" {
		t.Errorf("a graph stands in a model's place: %s", body)
	}
}

// Pictures that are no pictures are the caller's fault, whichever node sees them first.
func TestGraphBadPictures(t *testing.T) {
	r := newRouteRig(t, func(c *Config) { c.Graphs = demoGraph(t); c.Limits.Pixels = 50_000 })
	infer := r.public + "/v1/models/find-and-name/infer"
	golden := filepath.Join(parts.Root(t), "model_repository", "shapes-detector", "golden")
	small, err := os.ReadFile(filepath.Join(golden, "star-small-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	large, err := os.ReadFile(filepath.Join(golden, "circle-star-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	r.want(413, "POST", infer, "image/png", string(large))
	r.want(415, "POST", infer, "image/png", "no picture")
	if _, body := r.want(422, "POST", infer, "image/png", string(small[:len(small)/2])); !strings.Contains(body, "invalid_image") || !strings.Contains(body, `node \"find\"`) {
		t.Errorf("%s", body)
	}
	broken := bytes.Clone(small)
	broken[len(broken)/2] ^= 0x55
	r.want(422, "POST", infer, "image/png", string(broken))
}
