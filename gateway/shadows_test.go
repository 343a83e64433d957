package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/route"
	"triton-gateway/gateway/shadow"
	"triton-gateway/internal/parts"
)

// withShadow is a route to version 1 of shapes whose shadow is another model.
func withShadow(model string, version route.Version) route.Spec {
	s := shapesAB(1)
	s.Sticky = ""
	s.Shadow = &route.Shadow{Target: route.Target{Model: model, Version: version}, Percent: 100}
	return s
}

// goldens are the demo pictures of shapes.
func goldens(t *testing.T) (list []string) {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(parts.Root(t), "model_repository", "shapes", "golden", "*-*.*"))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(data))
	}
	if len(list) < 8 {
		t.Fatalf("%d pictures", len(list))
	}
	return list
}

type shadowDocument struct {
	Route  string
	Shadow *route.Shadow
	Pairs  []shadowView
}

// shadowOf asks how a route's shadow does, until so many answers have met their end.
func (r *routeRig) shadowOf(name string, ended uint64) shadowDocument {
	r.Helper()
	var d shadowDocument
	parts.Until(r.T, "the shadows have been asked", time.Minute, func() bool {
		_, body := r.want(200, "GET", r.inside+"/v1/routes/"+name+"/shadow", "", "")
		d = decode[shadowDocument](r.T, body)
		n := uint64(0)
		for _, p := range d.Pairs {
			for v := range maps.Values(p.Outcomes) {
				n += v
			}
		}
		return n >= ended
	})
	return d
}

type disagreementDocument struct{ Disagreements []disagreementView }

// TestShadowOfTheDemo: two versions of a model, and a model that knows other things, beside the one that answers; on the whole program, with the engine inside.
func TestShadowOfTheDemo(t *testing.T) {
	r := newRouteRig(t, func(c *Config) {
		c.Shadows.Waiting = 100
		c.Routes = Routes{"shapes-ab": withShadow("shapes", "2"), "odd": withShadow("digits", ""), "plain": shapesAB(1)}
	})
	pictures := goldens(t)
	for _, p := range pictures {
		res, first := r.want(200, "POST", r.public+"/v1/models/shapes-ab/infer?cache=no-cache", "application/octet-stream", p)
		if res.Header.Get("X-Model-Version") != "1" || !strings.Contains(first, `"version":"1"`) {
			t.Errorf("%s %s", res.Header.Get("X-Route"), first)
		}
		if _, again := r.want(200, "POST", r.public+"/v1/models/shapes-ab/infer", "application/octet-stream", p); !strings.Contains(again, `"from_cache":true`) {
			t.Error(again)
		}
	}
	n := uint64(len(pictures))
	d := r.shadowOf("shapes-ab", n)
	if len(d.Pairs) != 1 || d.Shadow == nil || d.Shadow.Percent != 100 {
		t.Fatalf("%+v", d)
	}
	p := d.Pairs[0]
	if p.Primary != "shapes/1" || p.Shadow != "shapes/2" || len(p.Outcomes) != 1 || p.Outcomes["compared"] != n || p.Agreement == nil || *p.Agreement != 1 || p.Figures["top1"] != 1 || *p.MeanSeconds <= 0 || p.Failure != "" {
		t.Errorf("stored answers are not compared, all others are: %+v", p)
	}
	if _, body := r.want(200, "POST", r.public+"/v1/models/shapes/versions/2/infer", "application/octet-stream", pictures[0]); !strings.Contains(body, `"from_cache":false`) {
		t.Errorf("the shadow's answer was stored: %s", body)
	}
	// Digits are no shapes.
	r.want(200, "POST", r.public+"/v1/models/odd/infer?cache=no-store&top_k=3", "image/png", samplePicture(t))
	if d = r.shadowOf("odd", 1); *d.Pairs[0].Agreement != 0 || d.Pairs[0].Figures["top1"] != 0 {
		t.Errorf("%+v", d)
	}
	res, body := r.want(200, "GET", r.inside+"/v1/routes/odd/disagreements", "", "")
	list := decode[disagreementDocument](t, body).Disagreements
	if len(list) != 1 || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatal(body)
	}
	one, sum := list[0], sha256.Sum256([]byte(samplePicture(t)))
	if one.Primary != "shapes/1" || !strings.HasPrefix(one.Shadow, "digits/") || one.Task != "image-classification" || one.Distance < 0.8 || one.Input.Kind != "image" ||
		one.Input.SHA256 != hex.EncodeToString(sum[:]) || one.Input.Width == 0 || time.Since(one.At) > time.Minute {
		t.Errorf("%+v %+v", one, one.Input)
	}
	if m, err := png.Decode(bytes.NewReader(one.Input.Preview)); err != nil || m.Bounds().Dx() > mostSide {
		t.Errorf("%v", err)
	}
	type answer struct{ Predictions []struct{ Label string } }
	if a, b := decode[answer](t, string(one.Answers.Primary)), decode[answer](t, string(one.Answers.Shadow)); len(a.Predictions) != 3 || a.Predictions[0].Label == b.Predictions[0].Label {
		t.Errorf("%s %s", one.Answers.Primary, one.Answers.Shadow)
	}
	// What is counted, and what is not.
	_, metrics := r.want(200, "GET", r.inside+"/metrics", "", "")
	for _, line := range []string{
		fmt.Sprintf(`gateway_shadow_requests_total{outcome="compared",primary="shapes/1",route="shapes-ab",shadow="shapes/2"} %d`, n),
		`gateway_shadow_disagreements_total{primary="shapes/1",route="shapes-ab",shadow="shapes/2"} 0`,
		fmt.Sprintf(`gateway_route_requests_total{model="shapes",reason="weight",route="shapes-ab",version="1"} %d`, 2*n),
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(metrics, `gateway_stage_duration_seconds_count{model="digits",outcome="ok",stage="infer"}`) {
		t.Error("the shadow's stages are counted as those of requests")
	}
	// Nothing to be seen, and nobody who may not see it.
	r.want(404, "GET", r.inside+"/v1/routes/nobody/shadow", "", "")
	r.want(404, "GET", r.inside+"/v1/routes/shapes/disagreements", "", "")
	r.want(403, "GET", r.public+"/v1/routes/odd/shadow", "", "")
	r.want(403, "GET", r.public+"/v1/routes/odd/disagreements", "", "")
	if _, body = r.want(200, "GET", r.inside+"/v1/routes/plain/shadow", "", ""); !strings.Contains(body, `"pairs":[]`) {
		t.Error(body)
	}
	// Another shadow is another story; other weights are not.
	spec := withShadow("shapes", "2")
	spec.Candidates[0].Weight = 7
	r.want(200, "PUT", r.inside+"/v1/routes/shapes-ab", typeJSON, inJSON(t, spec))
	if d = r.shadowOf("shapes-ab", n); len(d.Pairs) != 1 {
		t.Errorf("%+v", d)
	}
	r.want(200, "PUT", r.inside+"/v1/routes/odd", typeJSON, inJSON(t, withShadow("shapes", "2")))
	if d = r.shadowOf("odd", 0); len(d.Pairs) != 0 || d.Shadow.Model != "shapes" {
		t.Errorf("%+v", d)
	}
	if _, body = r.want(200, "GET", r.inside+"/v1/routes/odd/disagreements", "", ""); !strings.Contains(body, `"disagreements":[]`) {
		t.Error(body)
	}
}

// TestShadowsOfAllKinds: rows, tensors over KServe v2, several items of a call, and jobs.
func TestShadowsOfAllKinds(t *testing.T) {
	r := newRouteRig(t, func(c *Config) {
		c.Shadows = Shadows{Parallel: 1, Waiting: 100, Held: 64 << 20, Timeout: 10 * time.Second, Keep: 5, KeepBytes: 1 << 20, Inputs: inputsDigest}
		// Iris shadows itself by another name: the two answers are the same.
		c.Routes = Routes{
			"iris-ab":    {Candidates: []route.Candidate{{Target: route.Target{Model: "iris"}, Weight: 1}}, Shadow: &route.Shadow{Target: route.Target{Model: "iris", Version: "1"}, Percent: 100}},
			"tensors-ab": withShadow("shapes", "2"),
			"jobs-ab":    withShadow("shapes", "2"),
			"found-ab":   withShadow("shapes", "9"),
		}
	})
	r.want(200, "POST", r.public+"/v1/models/iris-ab/infer", typeJSON, `{"row":[5.1,3.5,1.4,0.2]}`)
	if d := r.shadowOf("iris-ab", 0); len(d.Pairs) != 0 {
		t.Errorf("it was compared with itself: %+v", d)
	}
	zeros := strings.TrimSuffix(strings.Repeat("0.5,", 3*64*64), ",")
	tensors := `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3,64,64],"data":[` + zeros + `]}]}`
	_, answer := r.want(200, "POST", r.public+"/v2/models/tensors-ab/infer", typeJSON, tensors)
	if !strings.Contains(answer, `"model_version":"1"`) {
		t.Errorf("%.200s", answer)
	}
	d := r.shadowOf("tensors-ab", 1)
	if p := d.Pairs[0]; p.Outcomes["compared"] != 1 || *p.Agreement != 0 || p.Figures["relative_difference"] <= 0 {
		t.Errorf("%+v", p)
	}
	_, body := r.want(200, "GET", r.inside+"/v1/routes/tensors-ab/disagreements", "", "")
	if list := decode[disagreementDocument](t, body).Disagreements; len(list) != 1 || list[0].Task != "raw" || list[0].Input.Kind != "raw" || len(list[0].Input.SHA256) != 64 || list[0].Input.Preview != nil || !strings.Contains(string(list[0].Answers.Shadow), `"outputs"`) {
		t.Error(body)
	}
	// A job of three pictures, of which each is compared.
	pictures := goldens(t)
	kind, form := makeForm("@image", pictures[0], "@image", pictures[1], "@image", pictures[2])
	res, _ := r.want(202, "POST", r.public+"/v1/jobs?model=jobs-ab", kind, form)
	if _, body = r.want(200, "GET", r.public+res.Header.Get("Location")+"?wait=20s", "", ""); !strings.Contains(body, `"state":"succeeded"`) {
		t.Fatal(body)
	}
	if d = r.shadowOf("jobs-ab", 3); d.Pairs[0].Outcomes["compared"] != 3 {
		t.Errorf("%+v", d)
	}
	// A version that there is not.
	r.want(200, "POST", r.public+"/v1/models/found-ab/infer?cache=no-store", "image/png", samplePicture(t))
	if p := r.shadowOf("found-ab", 1).Pairs[0]; p.Shadow != "shapes/9" || p.Outcomes["failed"] != 1 || !strings.Contains(p.Failure, "version") || p.FailedAt == nil {
		t.Errorf("%+v", p)
	}
}

// The hooks of those who compare for reasons of their own.
func TestAlsoAndTold(t *testing.T) {
	r := newRouteRig(t, func(c *Config) { c.Routes = Routes{"plain": shapesAB(1), "shapes-ab": withShadow("shapes", "2")} })
	told := make(chan shadow.Event, 10)
	s := r.server.shadows
	s.also = func(p *pipeline.Routed) (route.Target, bool) {
		return route.Target{Model: "shapes", Version: "2"}, p.Version == "1"
	}
	s.told = func(e shadow.Event) { told <- e }
	for _, name := range []string{"plain", "shapes-ab"} {
		r.want(200, "POST", r.public+"/v1/models/"+name+"/infer?cache=no-store", "image/png", samplePicture(t))
		if e := <-told; e.Outcome != shadow.Compared || e.Pair != (shadow.Pair{Route: name, Primary: "shapes/1", Shadow: "shapes/2"}) || e.Alone <= 0 || e.Took <= e.Alone {
			t.Errorf("%+v", e)
		}
	}
	if err := s.Close(context.Background()); err != nil || len(told) != 0 {
		t.Errorf("asked twice: %d, %v", len(told), err)
	}
}
