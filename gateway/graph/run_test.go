package graph

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// byRegion names a crop by where it begins, as a classifier that sees it would.
func byRegion(_ context.Context, c *Call) (postprocess.Result, error) {
	if c.Region == nil {
		return postprocess.Result{}, errors.New("the whole picture came")
	}
	return classesOf(fmt.Sprintf("at-%d-%d", c.Region.X0, c.Region.Y0), 0.75), nil
}

func TestRunDetectCropClassify(t *testing.T) {
	g := parsed(t, detectCropClassify)
	found := []postprocess.Detection{box("a", 0.9, 10.4, 20.5, 30.5, 40), box("b", 0.8, -5, 60, 200, 500), box("c", 0.7, 50, 50, 50.4, 60), box("d", 0.6, 300, 300, 400, 400)}
	var seen width
	a, err := g.Run(t.Context(), models{"detect": says(boxesOf(found...)), "classify": seen.wrap(byRegion)}, input())
	if err != nil {
		t.Fatal(err)
	}
	if got := states(a); got != "find:done cut:done kind:done" || !a.Whole() {
		t.Errorf("states %s", got)
	}
	want := map[string]string{"a": "at-10-20", "b": "at-0-60", "c": "", "d": ""}
	for i, f := range a.Found {
		if f.Detection != found[i] {
			t.Errorf("detection %d changed: %+v", i, f.Detection)
		}
		label := ""
		if f.Predictions != nil {
			label = f.Predictions[0].Label
		}
		if label != want[f.Label] {
			t.Errorf("%s is named %q, want %q", f.Label, label, want[f.Label])
		}
	}
	if s := a.Steps[1]; s.Items != 2 || s.Left != 2 {
		t.Errorf("the crop node %+v", s)
	}
	slices.SortFunc(seen.calls, func(a, b Call) int { return a.Region.X0 - b.Region.X0 })
	if len(seen.calls) != 2 || *seen.calls[0].Region != (Region{0, 60, 100, 80}) || *seen.calls[1].Region != (Region{10, 20, 30, 40}) || seen.calls[0].Node != "kind" {
		t.Errorf("calls %+v", seen.calls)
	}
}

// The rounding is Python's: Image.crop rounds each corner half to even.
func TestRegionRoundsAsPillow(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		box  [4]float64
		pad  float64
		want Region
		ok   bool
	}{
		{[4]float64{0.5, 1.5, 2.5, 3.5}, 0, Region{0, 2, 2, 4}, true},
		{[4]float64{0.49, 0.51, 9.5, 10.5}, 0, Region{0, 1, 10, 10}, true},
		{[4]float64{10, 10, 20, 30}, 0.1, Region{9, 8, 21, 32}, true},
		{[4]float64{0, 0, 100, 80}, 1, Region{0, 0, 100, 80}, true},
		{[4]float64{99.6, 0, 140, 10}, 0, Region{}, false},
		{[4]float64{10, 10, 10, 30}, 0, Region{}, false},
		{[4]float64{20, 10, 10, 30}, 0, Region{}, false},
		{[4]float64{-50, -50, -10, -10}, 0, Region{}, false},
		{[4]float64{nan, 0, 10, 10}, 0, Region{}, false},
		{[4]float64{0, 0, inf, inf}, 0, Region{}, false},
		{[4]float64{-inf, -inf, inf, inf}, 0.5, Region{0, 0, 100, 80}, true},
		{[4]float64{-1e300, 0, 1e300, 10}, 2, Region{}, true},
	} {
		got, ok := regionOf(postprocess.Box{X1: c.box[0], Y1: c.box[1], X2: c.box[2], Y2: c.box[3]}, c.pad, 100, 80)
		if ok != c.ok || c.want != (Region{}) && ok && got != c.want {
			t.Errorf("%v pad %v: %v %v, want %v %v", c.box, c.pad, got, ok, c.want, c.ok)
		}
		if ok && (got.X0 < 0 || got.Y0 < 0 || got.X1 > 100 || got.Y1 > 80 || got.X0 >= got.X1 || got.Y0 >= got.Y1) {
			t.Errorf("%v: %v is not in the picture", c.box, got)
		}
	}
}

// Of 10,000 detections the cap's best are looked at, and never more at one time than the document says.
func TestRunManyDetections(t *testing.T) {
	g := parsed(t, strings.Replace(detectCropClassify, "crop: {}", "crop: {max: 7}", 1)+"parallel: 3\n")
	var list []postprocess.Detection
	for i := range 10000 {
		list = append(list, box("x", float64(i%5000)/5000, float64(i%90), 1, float64(i%90+5), 9))
	}
	var seen width
	a, err := g.Run(t.Context(), models{"detect": says(boxesOf(list...)), "classify": seen.wrap(byRegion)}, input())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Found) != 10000 || len(seen.calls) != 7 || seen.most.Load() > 3 || a.Steps[1].Left != 9993 {
		t.Errorf("%d found, %d calls, %d at a time, %d left out", len(a.Found), len(seen.calls), seen.most.Load(), a.Steps[1].Left)
	}
	for i, f := range a.Found {
		if named := f.Predictions != nil; named && f.Score < 4996.0/5000 || !named && f.Score > 4996.0/5000 {
			t.Errorf("detection %d with score %v is named: %v", i, f.Score, named)
		}
	}
	more := append(list, box("y", 1, 0, 0, 1, 1))
	if a, err = g.Run(t.Context(), models{"detect": says(boxesOf(more...)), "classify": byRegion}, input()); err != nil || len(a.Found) != MostFound || a.Found[0].Label != "y" {
		t.Errorf("above the limit: %v, %d", err, len(a.Found))
	}
}

// One node's failure gives the partial result that its on_error promises.
func TestRunPartial(t *testing.T) {
	busy := fault.New(fault.Busy, "queue_full", "the model is busy").After(3 * time.Second)
	second := func(ctx context.Context, c *Call) (postprocess.Result, error) {
		if c.Region.X0 == 50 {
			return postprocess.Result{}, busy
		}
		return byRegion(ctx, c)
	}
	detect := says(boxesOf(box("a", 0.9, 10, 10, 20, 20), box("b", 0.8, 50, 10, 60, 20)))
	with := func(how string) *Graph {
		return parsed(t, strings.Replace(detectCropClassify, "from: cut", "from: cut, "+how, 1))
	}
	t.Run("fail", func(t *testing.T) {
		_, err := with("on_error: fail").Run(t.Context(), models{"detect": detect, "classify": second}, input())
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Busy || f.Code != "queue_full" || f.Detail != `node "kind": the model is busy` || f.RetryAfter != 3*time.Second {
			t.Errorf("%v", err)
		}
	})
	t.Run("skip", func(t *testing.T) {
		a, err := with("on_error: skip").Run(t.Context(), models{"detect": detect, "classify": second}, input())
		if err != nil {
			t.Fatal(err)
		}
		if a.Whole() || states(a) != "find:done cut:done kind:partial" || a.Steps[2].Failed != 1 || a.Found[0].Predictions[0].Label != "at-10-10" || a.Found[1].Predictions != nil {
			t.Errorf("%s %+v", states(a), a)
		}
		const want = `"detections":[{"label":"a","index":0,"score":0.9,"box":{"x1":10,"y1":10,"x2":20,"y2":20},"predictions":[{"label":"at-10-10","index":0,"score":0.75}]},` +
			`{"label":"b","index":0,"score":0.8,"box":{"x1":50,"y1":10,"x2":60,"y2":20}}],` +
			`"nodes":{"find":{"state":"done","items":2},"cut":{"state":"done","items":2},"kind":{"state":"partial","items":2,"failed":1}},` +
			`"errors":{"kind":{"code":"queue_full","detail":"node \"kind\": the model is busy"}}`
		if got := string(a.AppendJSON(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("default", func(t *testing.T) {
		a, err := with("on_error: default, default: {label: unknown, index: 9, score: 0.5}").Run(t.Context(), models{"detect": detect, "classify": second}, input())
		if err != nil || !reflect.DeepEqual(a.Found[1].Predictions, []postprocess.Prediction{{Label: "unknown", Index: 9, Score: 0.5}}) || a.Steps[2].State != Defaulted || a.Whole() {
			t.Errorf("%v %+v", err, a)
		}
	})
	t.Run("all crops", func(t *testing.T) {
		a, err := with("on_error: skip").Run(t.Context(), models{"detect": detect, "classify": fails(errors.New("secret"))}, input())
		if err != nil || len(a.Found) != 2 || a.Steps[2].Failed != 2 || strings.Contains(string(a.AppendJSON(nil)), "secret") {
			t.Errorf("%v %s", err, a.AppendJSON(nil))
		}
	})
	t.Run("the detector", func(t *testing.T) {
		g := parsed(t, strings.Replace(detectCropClassify, "from: input", "from: input, on_error: skip", 1))
		a, err := g.Run(t.Context(), models{"detect": fails(busy), "classify": byRegion}, input())
		if err != nil || states(a) != "find:failed cut:skipped kind:skipped" || !strings.HasPrefix(string(a.AppendJSON(nil)), `"detections":[],"nodes"`) {
			t.Errorf("%v %s %s", err, states(a), a.AppendJSON(nil))
		}
	})
	t.Run("a classifier's default", func(t *testing.T) {
		g := parsed(t, "nodes: [{name: k, model: classify, from: input, on_error: default, default: {label: unknown}}]")
		a, err := g.Run(t.Context(), models{"classify": fails(busy)}, Input{Task: task.ImageClassification})
		if err != nil || a.Predictions[0].Label != "unknown" || a.Steps[0].State != Defaulted {
			t.Errorf("%v %+v", err, a)
		}
	})
}

// A model that hangs costs its node's timeout and no more.
func TestRunTimeouts(t *testing.T) {
	detect := says(boxesOf(box("a", 0.9, 10, 10, 20, 20), box("b", 0.8, 50, 10, 60, 20)))
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := parsed(t, strings.Replace(detectCropClassify, "from: cut", "from: cut, timeout: 2s, on_error: skip", 1))
		a, err := g.Run(t.Context(), models{"detect": detect, "classify": func(ctx context.Context, c *Call) (postprocess.Result, error) {
			if c.Region.X0 == 10 {
				return byRegion(ctx, c)
			}
			return hangs(ctx, c)
		}}, input())
		if took := time.Since(start); err != nil || took != 2*time.Second {
			t.Fatalf("%v after %v", err, took)
		}
		if a.Found[0].Predictions == nil || a.Found[1].Predictions != nil || !strings.Contains(a.Steps[2].Err.Error(), `node "kind" was not done in its timeout, 2s`) {
			t.Errorf("%+v", a)
		}
	})
	synctest.Test(t, func(t *testing.T) { // also where nothing else is said of failures, and the model tells of its deadline in words of its own
		g := parsed(t, strings.Replace(detectCropClassify, "from: cut", "from: cut, timeout: 2s", 1))
		_, err := g.Run(t.Context(), models{"detect": detect, "classify": func(ctx context.Context, _ *Call) (postprocess.Result, error) {
			<-ctx.Done()
			return postprocess.Result{}, fault.New(fault.Timeout, "deadline_exceeded", "raise something").Wrap(ctx.Err())
		}}, input())
		if err == nil || !strings.Contains(err.Error(), `node "kind" was not done in its timeout, 2s`) {
			t.Errorf("%v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := parsed(t, detectCropClassify+"timeout: 3s\n")
		_, err := g.Run(t.Context(), models{"detect": hangs}, input())
		if took := time.Since(start); fault.KindOf(err) != fault.Timeout || took != 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := parsed(t, detectCropClassify).Run(ctx, models{"detect": hangs}, input())
		if fault.KindOf(err) != fault.Canceled {
			t.Errorf("%v", err)
		}
	})
}

func TestRunPanics(t *testing.T) {
	g := parsed(t, strings.Replace(detectCropClassify, "from: cut", "from: cut, on_error: skip", 1))
	a, err := g.Run(t.Context(), models{"detect": says(boxesOf(box("a", 0.9, 10, 10, 20, 20))),
		"classify": func(context.Context, *Call) (postprocess.Result, error) { panic("oh") }}, input())
	if err != nil || a.Steps[2].Err == nil || fault.KindOf(a.Steps[2].Err) != fault.Internal {
		t.Errorf("%v %+v", err, a)
	}
	if _, err = g.Run(t.Context(), models{"detect": func(context.Context, *Call) (postprocess.Result, error) { panic("oh") }}, input()); err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("%v", err)
	}
}

// Models that answer something else than their task says are refused where it matters.
func TestRunWrongAnswers(t *testing.T) {
	g := parsed(t, detectCropClassify)
	if _, err := g.Run(t.Context(), models{"detect": says(classesOf("a", 1.0))}, input()); fault.KindOf(err) != fault.Contract || !strings.Contains(err.Error(), `node "cut": it cannot read classes`) {
		t.Errorf("%v", err)
	}
	one := 1.5
	if _, err := g.Run(t.Context(), models{"detect": says(boxesOf(box("a", 0.9, 10, 10, 20, 20))), "classify": says(postprocess.Result{Value: &one})}, input()); fault.KindOf(err) != fault.Contract {
		t.Errorf("%v", err)
	}
	if _, err := g.Run(t.Context(), models{}, input()); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), `node "find": there is no model "detect"`) {
		t.Errorf("%v", err)
	}
}

// A detector on crops gives boxes of the picture.
func TestRunDetectInCrops(t *testing.T) {
	g := parsed(t, strings.Replace(detectCropClassify, "model: classify", "model: detect-in", 1))
	cars := boxesOf(box("car", 0.9, 10, 10, 50, 40), box("car", 0.8, 60, 30, 90, 70))
	a, err := g.Run(t.Context(), models{"detect": says(cars), "detect-in": says(boxesOf(box("plate", 0.7, 1, 2, 8, 5)))}, input())
	if err != nil || len(a.Found) != 2 || a.Found[0].Detection != box("plate", 0.7, 11, 12, 18, 15) || a.Found[1].Detection != box("plate", 0.7, 61, 32, 68, 35) {
		t.Errorf("%v %+v", err, a)
	}
	if a, err = g.Run(t.Context(), models{"detect": says(boxesOf())}, input()); err != nil || len(a.Found) != 0 {
		t.Errorf("nothing found: %v %+v", err, a)
	}
	a, err = g.Run(t.Context(), models{"detect": says(boxesOf(box("car", 0.9, 10, 10, 10, 40))), "detect-in": hangs}, input())
	if err != nil || len(a.Found) != 0 {
		t.Errorf("no crop: %v %+v", err, a)
	}
}

// The caller's options are for the models that decide the answer, over those of the document.
func TestRunOptions(t *testing.T) {
	g := parsed(t, strings.Replace(detectCropClassify, "from: input", "from: input, version: \"2\", options: {confidence: 0.5, iou: 0.6}", 1))
	var seen width
	in := input()
	wish, limit := 0.1, 3
	in.Options = postprocess.Options{Confidence: &wish, MaxDetections: &limit, Classes: []string{"a"}}
	if _, err := g.Run(t.Context(), models{"detect": seen.wrap(says(boxesOf(box("a", 0.9, 10, 10, 20, 20)))), "classify": seen.wrap(byRegion)}, in); err != nil {
		t.Fatal(err)
	}
	find, kind := seen.calls[0], seen.calls[1]
	if find.Version != "2" || *find.Options.Confidence != 0.1 || *find.Options.IoU != 0.6 || *find.Options.MaxDetections != 3 || find.Options.Classes[0] != "a" {
		t.Errorf("find %+v", find.Options)
	}
	if !reflect.DeepEqual(kind.Options, postprocess.Options{}) {
		t.Errorf("kind %+v", kind.Options)
	}
	classes := parsed(t, "nodes: [{name: k, model: classify, from: input}]")
	top := 1
	a, err := classes.Run(t.Context(), models{"classify": says(classesOf("a", 0.6, "b", 0.4))}, Input{Options: postprocess.Options{TopK: &top}})
	if err != nil || len(a.Predictions) != 1 {
		t.Errorf("top_k 1: %v %+v", err, a)
	}
}

func TestRunOtherAnswers(t *testing.T) {
	v := 2.5
	g := parsed(t, "input: row\nnodes: [{name: p, model: price, from: input}]")
	a, err := g.Run(t.Context(), models{"price": says(postprocess.Result{Value: &v})}, Input{Task: task.TabularRegression})
	if err != nil || string(a.AppendJSON(nil)) != `"value":2.5,"nodes":{"p":{"state":"done","items":1}}` {
		t.Errorf("%v %s", err, a.AppendJSON(nil))
	}
}
