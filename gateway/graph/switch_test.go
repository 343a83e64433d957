package graph

import (
	"testing"

	"triton-gateway/postprocess"
)

func ptr[T any](v T) *T { return &v }

func TestConditions(t *testing.T) {
	f := Found{Detection: box("circle", 0.6, 0, 0, 10, 20), Predictions: classesOf("red", 0.8, "blue", 0.2).Predictions}
	for _, c := range []struct {
		name string
		c    Condition
		want bool
	}{
		{"nothing asked", Condition{}, true},
		{"label", Condition{Label: "circle"}, true},
		{"other label", Condition{Label: "square"}, false},
		{"labels", Condition{Labels: []string{"square", "circle"}}, true},
		{"not in labels", Condition{Labels: []string{"square"}}, false},
		{"score over", Condition{ScoreOver: ptr(0.5)}, true},
		{"score is not over itself", Condition{ScoreOver: ptr(0.6)}, false},
		{"score under", Condition{ScoreUnder: ptr(0.7)}, true},
		{"score is not under itself", Condition{ScoreUnder: ptr(0.6)}, false},
		{"area over", Condition{AreaOver: ptr(199.0)}, true},
		{"area is not over itself", Condition{AreaOver: ptr(200.0)}, false},
		{"area under", Condition{AreaUnder: ptr(200.5)}, true},
		{"area is not under itself", Condition{AreaUnder: ptr(200.0)}, false},
		{"inner", Condition{Inner: &Inner{Label: "red", ScoreOver: ptr(0.5)}}, true},
		{"inner of two things", Condition{Inner: &Inner{Label: "blue", ScoreOver: ptr(0.5)}}, false},
		{"inner labels", Condition{Inner: &Inner{Labels: []string{"blue"}, ScoreUnder: ptr(0.3)}}, true},
		{"both", Condition{Label: "circle", ScoreOver: ptr(0.9)}, false},
	} {
		if got := c.c.found(&f); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	v := &value{kind: detections, found: []Found{f, {Detection: box("square", 0.9, 0, 0, 1, 1)}}}
	for _, c := range []struct {
		name string
		c    Condition
		want bool
	}{
		{"any", Condition{Label: "circle"}, true},
		{"none", Condition{Label: "star"}, false},
		{"more than one", Condition{CountOver: ptr(1)}, true},
		{"not more than two", Condition{CountOver: ptr(2)}, false},
		{"fewer than three", Condition{CountUnder: ptr(3)}, true},
		{"no star", Condition{Label: "star", CountUnder: ptr(1)}, true},
		{"between", Condition{CountOver: ptr(0), CountUnder: ptr(2)}, false},
	} {
		if got := c.c.holds(v); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	classes := &value{kind: classes, classes: classesOf("a", 0.7, "b", 0.3).Predictions}
	if !(&Condition{Label: "b", ScoreOver: ptr(0.2)}).holds(classes) || (&Condition{Label: "b", ScoreOver: ptr(0.5)}).holds(classes) {
		t.Error("classes")
	}
}

const switched = `
nodes:
  - {name: what, model: classify, from: input}
  - name: gate
    from: what
    switch:
      cases:
        - {when: {label: none, score_over: 0.5}, stop: true}
        - {when: {label: animal, score_over: 0.5}, run: animals}
      else: {run: things}
  - {name: animals, model: classify-animals, from: input}
  - {name: things, model: classify-things, from: input}
  - {name: either, merge: {}, from: [animals, things]}
`

func TestSwitch(t *testing.T) {
	for _, c := range []struct{ what, want, states, stopped string }{
		{"animal", "cat", "what:done gate:done animals:done things:skipped either:done", ""},
		{"thing", "car", "what:done gate:done animals:skipped things:done either:done", ""},
		{"none", "none", "what:done gate:done animals:skipped things:skipped either:skipped", "gate"},
	} {
		a, err := parsed(t, switched).Run(t.Context(), models{"classify": says(classesOf(c.what, 0.9)),
			"classify-animals": says(classesOf("cat", 0.8)), "classify-things": says(classesOf("car", 0.7))}, input())
		if err != nil {
			t.Fatal(err)
		}
		if a.Predictions[0].Label != c.want || a.Stopped != c.stopped {
			t.Errorf("%s: %+v", c.what, a)
		}
		if got := states(a); got != c.states {
			t.Errorf("%s: %s", c.what, got)
		}
	}
}

// What a stop leaves undone is no fault, so the answer may be kept.
func TestSwitchStopIsWhole(t *testing.T) {
	a, err := parsed(t, switched).Run(t.Context(), models{"classify": says(classesOf("none", 0.9))}, input())
	if err != nil || !a.Whole() {
		t.Errorf("%v %+v", err, a)
	}
}

func TestFilterMapMerge(t *testing.T) {
	g := parsed(t, `
nodes:
  - {name: one, model: detect-1, from: input}
  - {name: two, model: detect-2, from: input}
  - {name: big, filter: {where: {area_over: 50}}, from: one}
  - {name: not-stars, filter: {where: {label: star}, drop: true, best: 2}, from: two}
  - {name: names, map: {labels: {disc: circle}}, from: not-stars}
  - {name: all, merge: {iou: 0.5}, from: [big, names]}
`)
	a, err := g.Run(t.Context(), models{
		"detect-1": says(boxesOf(box("circle", 0.7, 0, 0, 10, 10), box("circle", 0.9, 0, 0, 5, 5), box("square", 0.6, 0, 0, 10, 10))),
		"detect-2": says(boxesOf(box("star", 0.99, 0, 0, 10, 10), box("disc", 0.3, 50, 50, 60, 60), box("disc", 0.8, 1, 0, 11, 10), box("disc", 0.5, 70, 50, 80, 60))),
	}, input())
	if err != nil {
		t.Fatal(err)
	}
	want := []postprocess.Detection{box("circle", 0.8, 1, 0, 11, 10), box("square", 0.6, 0, 0, 10, 10), box("circle", 0.5, 70, 50, 80, 60)}
	if len(a.Found) != len(want) {
		t.Fatalf("%+v", a.Found)
	}
	for i := range want {
		if a.Found[i].Detection != want[i] {
			t.Errorf("%d: %+v, want %+v", i, a.Found[i].Detection, want[i])
		}
	}
}

// A merge takes what is there, and only then gives nothing when all have failed.
func TestMergeOfWhatIsThere(t *testing.T) {
	text := "nodes:\n  - {name: a, model: detect-1, from: input, on_error: skip}\n  - {name: b, model: detect-2, from: input, on_error: skip}\n  - {name: m, merge: {}, from: [a, b]}\n"
	a, err := parsed(t, text).Run(t.Context(), models{"detect-1": says(boxesOf(box("x", 0.5, 0, 0, 1, 1)))}, input())
	if err != nil || len(a.Found) != 1 || states(a) != "a:done b:failed m:done" {
		t.Errorf("%v %+v", err, a)
	}
	a, err = parsed(t, text).Run(t.Context(), models{}, input())
	if err != nil || len(a.Found) != 0 || states(a) != "a:failed b:failed m:skipped" {
		t.Errorf("%v %+v", err, a)
	}
}

// The label of the crop's classifier becomes the detection's.
func TestMapPromotes(t *testing.T) {
	g := parsed(t, detectCropClassify+"  - {name: names, map: {promote: true, labels: {at-10-10: first}}, from: kind}\n")
	a, err := g.Run(t.Context(), models{"detect": says(boxesOf(box("thing", 0.9, 10, 10, 20, 20), box("thing", 0.8, 5, 5, 5, 5))), "classify": byRegion}, input())
	if err != nil || a.Found[0].Label != "first" || a.Found[0].Score != 0.75 || a.Found[1].Label != "thing" || a.Found[1].Score != 0.8 {
		t.Errorf("%v %+v", err, a)
	}
}
