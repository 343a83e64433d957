package graph

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// voters is a graph of three classifiers and a vote.
func voters(t *testing.T, vote, each string) *Graph {
	t.Helper()
	return parsed(t, fmt.Sprintf(`
nodes:
  - {name: a, model: classify-a, from: input%s}
  - {name: b, model: classify-b, from: input%s}
  - {name: c, model: classify-c, from: input%s}
  - {name: v, vote: {%s}, from: [a, b, c]}
`, each, each, each, vote))
}

func three(a, b, c postprocess.Result) models {
	return models{"classify-a": says(a), "classify-b": says(b), "classify-c": says(c)}
}

func pairs(list []postprocess.Prediction) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s=%.4f", p.Label, p.Score))
	}
	return strings.Join(out, " ")
}

func TestVoteByClasses(t *testing.T) {
	m := three(classesOf("cat", 0.6, "dog", 0.4), classesOf("dog", 0.9, "cat", 0.1), classesOf("cat", 0.55, "dog", 0.45))
	for _, c := range []struct{ vote, want string }{
		{"", "dog=0.5833 cat=0.4167"},
		{"method: mean", "dog=0.5833 cat=0.4167"},
		{"method: weighted, weights: [4, 1, 1]", "cat=0.5083 dog=0.4917"},
		{"method: majority", "cat=0.6667 dog=0.3333"},
		{"method: majority, weights: [1, 5, 1]", "dog=0.7143 cat=0.2857"},
		{"top_k: 1", "dog=0.5833"},
	} {
		a, err := voters(t, c.vote, "").Run(t.Context(), m, input())
		if err != nil || pairs(a.Predictions) != c.want {
			t.Errorf("%q: %v %s, want %s", c.vote, err, pairs(a.Predictions), c.want)
		}
	}
	// A class that one leaves out counts as 0 there; of a tie the higher average is first, and then the lower index.
	a, err := voters(t, "method: majority", "").Run(t.Context(), three(classesOf("cat", 0.6), classesOf("dog", 0.9), classesOf()), input())
	if err != nil || pairs(a.Predictions) != "dog=0.3333 cat=0.3333" {
		t.Errorf("%v %s", err, pairs(a.Predictions))
	}
	if a, err = voters(t, "", "").Run(t.Context(), three(classesOf("b", 0.5, "a", 0.5), classesOf("b", 0.5, "a", 0.5), classesOf()), input()); err != nil || pairs(a.Predictions) != "b=0.3333 a=0.3333" {
		t.Errorf("%v %s", err, pairs(a.Predictions))
	}
}

// Those who vote are asked for all classes, unless the document says how many.
func TestVotersGiveAllClasses(t *testing.T) {
	var seen width
	m := models{"classify-a": seen.wrap(says(classesOf("a", 1.0))), "classify-b": says(classesOf("a", 1.0)), "classify-c": says(classesOf("a", 1.0))}
	in := input()
	in.Options.TopK = ptr(2)
	if _, err := voters(t, "", "").Run(t.Context(), m, in); err != nil || *seen.calls[0].Options.TopK != allClasses {
		t.Errorf("%v %+v", err, seen.calls)
	}
	if _, err := voters(t, "", ", options: {top_k: 3}").Run(t.Context(), m, input()); err != nil || *seen.calls[1].Options.TopK != 3 {
		t.Errorf("%v %+v", err, seen.calls)
	}
}

func TestVoteQuorum(t *testing.T) {
	down := fault.New(fault.Unavailable, "backend_unavailable", "it is down").After(time.Second)
	m := three(classesOf("cat", 1.0), classesOf("cat", 0.5), classesOf())
	m["classify-c"] = fails(down)
	a, err := voters(t, "quorum: 2", "").Run(t.Context(), m, input())
	if err != nil || pairs(a.Predictions) != "cat=0.7500" || states(a) != "a:done b:done c:failed v:done" || a.Whole() {
		t.Errorf("%v %+v", err, a)
	}
	_, err = voters(t, "", "").Run(t.Context(), m, input())
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Unavailable || f.RetryAfter != time.Second || !strings.Contains(f.Detail, `node "v": fewer than 3 of its 3 nodes, its quorum, have an answer: node "c": it is down`) {
		t.Errorf("%v", err)
	}
	if _, err = voters(t, "quorum: 1", ", on_error: fail").Run(t.Context(), m, input()); !errors.Is(err, down) || !strings.Contains(err.Error(), `node "c"`) {
		t.Errorf("on_error: fail is not heard: %v", err)
	}
}

// Stragglers are waited for as long as the document says, from the moment when there is a quorum.
func TestVoteStraggler(t *testing.T) {
	slow := func(d time.Duration, r postprocess.Result) func(context.Context, *Call) (postprocess.Result, error) {
		return func(ctx context.Context, _ *Call) (postprocess.Result, error) {
			select {
			case <-time.After(d):
				return r, nil
			case <-ctx.Done():
				return postprocess.Result{}, fault.Ended(ctx.Err(), "while it ran")
			}
		}
	}
	for _, c := range []struct {
		vote   string
		third  time.Duration
		took   time.Duration
		states string
		whole  bool
	}{
		{"quorum: 2, straggler: 50ms", 900 * time.Millisecond, 150 * time.Millisecond, "a:done b:done c:late v:done", false},
		{"quorum: 2, straggler: 50ms", 140 * time.Millisecond, 140 * time.Millisecond, "a:done b:done c:done v:done", true},
		{"quorum: 2", 900 * time.Millisecond, 900 * time.Millisecond, "a:done b:done c:done v:done", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := models{"classify-a": slow(10*time.Millisecond, classesOf("a", 1.0)), "classify-b": slow(100*time.Millisecond, classesOf("a", 1.0)), "classify-c": slow(c.third, classesOf("b", 1.0))}
			start := time.Now()
			a, err := voters(t, c.vote, "").Run(t.Context(), m, input())
			if err != nil || time.Since(start) != c.took || states(a) != c.states || a.Whole() != c.whole {
				t.Errorf("%s: %v after %v: %s, whole %v", c.vote, err, time.Since(start), states(a), a.Whole())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // the vote's own timeout, and one of its voters never answers
		m := models{"classify-a": says(classesOf("a", 1.0)), "classify-b": hangs, "classify-c": hangs}
		start := time.Now()
		g := parsed(t, "nodes: [{name: a, model: classify-a, from: input}, {name: b, model: classify-b, from: input, timeout: 1s}, {name: v, vote: {}, from: [a, b]}]")
		_, err := g.Run(t.Context(), m, input())
		if fault.KindOf(err) != fault.Timeout || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A vote on the classes of each crop.
func TestVoteOnCrops(t *testing.T) {
	g := parsed(t, `
nodes:
  - {name: find, model: detect, from: input}
  - {name: cut, crop: {labels: [x]}, from: find}
  - {name: a, model: classify-a, from: cut}
  - {name: b, model: classify-b, from: cut, on_error: skip}
  - {name: v, vote: {}, from: [a, b]}
`)
	if err := g.Check(tasks); err != nil {
		t.Fatal(err)
	}
	m := models{"detect": says(boxesOf(box("x", 0.9, 0, 0, 10, 10), box("x", 0.8, 20, 0, 30, 10), box("y", 0.7, 20, 0, 30, 10))),
		"classify-a": says(classesOf("red", 1.0)),
		"classify-b": func(_ context.Context, c *Call) (postprocess.Result, error) {
			if c.Region.X0 == 20 {
				return postprocess.Result{}, fault.New(fault.Upstream, "upstream_error", "no")
			}
			return classesOf("blue", 0.5, "red", 0.5), nil
		}}
	a, err := g.Run(t.Context(), m, input())
	if err != nil || pairs(a.Found[0].Predictions) != "red=0.7500 blue=0.2500" || pairs(a.Found[1].Predictions) != "red=1.0000" || a.Found[2].Predictions != nil {
		t.Errorf("%v %+v", err, a)
	}
}

// The numbers are those of the paper's formulas, done by hand.
func TestWeightedBoxFusion(t *testing.T) {
	const text = "nodes: [{name: a, model: detect-a, from: input}, {name: b, model: detect-b, from: input}, {name: v, vote: {method: wbf%s}, from: [a, b]}]"
	m := models{
		"detect-a": says(boxesOf(box("x", 0.9, 0, 0, 10, 10), box("y", 0.6, 50, 50, 60, 60), box("x", 0.5, 0, 0, 0, 10))),
		"detect-b": says(boxesOf(box("x", 0.6, 2, 0, 12, 10), box("x", 0.3, 0, 50, 10, 60), box("y", 0.4, 0, 0, 10, 10))),
	}
	for _, c := range []struct {
		settings string
		want     []postprocess.Detection
	}{
		{"", []postprocess.Detection{box("x", 0.75, 0.8, 0, 10.8, 10), box("y", 0.3, 50, 50, 60, 60), box("y", 0.2, 0, 0, 10, 10), box("x", 0.15, 0, 50, 10, 60)}},
		// C_a = 2.7, C_b = 0.6: (2.7 + 0.6)/2 * 2/4, and X = (0.6*2)/3.3; alone 1.8 * 1/4, 0.4 * 1/4 and 0.3 * 1/4.
		{", weights: [3, 1]", []postprocess.Detection{box("x", 0.825, 1.2/3.3, 0, 10+1.2/3.3, 10), box("y", 0.45, 50, 50, 60, 60), box("y", 0.1, 0, 0, 10, 10), box("x", 0.075, 0, 50, 10, 60)}},
		{", iou: 0.7", []postprocess.Detection{box("x", 0.45, 0, 0, 10, 10), box("y", 0.3, 50, 50, 60, 60), box("x", 0.3, 2, 0, 12, 10), box("y", 0.2, 0, 0, 10, 10), box("x", 0.15, 0, 50, 10, 60)}},
	} {
		a, err := parsed(t, fmt.Sprintf(text, c.settings)).Run(t.Context(), m, Input{Task: task.ObjectDetection})
		if err != nil || len(a.Found) != len(c.want) {
			t.Fatalf("%s: %v %+v", c.settings, err, a)
		}
		for i, w := range c.want {
			if d := a.Found[i].Detection; d.Label != w.Label || apart(d, w) > 1e-12 {
				t.Errorf("%s: %d: %+v, want %+v", c.settings, i, d, w)
			}
		}
	}
}

func apart(a, b postprocess.Detection) float64 {
	return max(math.Abs(a.Score-b.Score), math.Abs(a.Box.X1-b.Box.X1), math.Abs(a.Box.Y1-b.Box.Y1), math.Abs(a.Box.X2-b.Box.X2), math.Abs(a.Box.Y2-b.Box.Y2))
}

// One detector alone whose boxes do not overlap comes out as it went in, whatever the order.
func TestWeightedBoxFusionOfOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var list []postprocess.Detection
	for i := range 50 {
		x := float64(i) * 20
		list = append(list, box("x", random.Float64(), x, 0, x+10, 10))
	}
	v := &Vote{Method: "wbf"}
	var found []Found
	for _, d := range list {
		found = append(found, Found{Detection: d})
	}
	out, err := v.boxes(t.Context(), []ballot{{&value{kind: detections, found: found}, 1}})
	if err != nil || len(out.found) != 50 {
		t.Fatalf("%v %d", err, len(out.found))
	}
	for i, want := range best(found, 50) {
		if apart(out.found[i].Detection, want.Detection) > 1e-9 {
			t.Errorf("%d: %+v, want %+v", i, out.found[i].Detection, want.Detection)
		}
	}
}

// Ten thousand boxes of each end in time, and an end of the context is heard.
func TestWeightedBoxFusionOfMany(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	lists := make([]ballot, 2)
	for k := range lists {
		v := &value{kind: detections}
		for range 10000 {
			x, y := random.Float64()*1e4, random.Float64()*1e4
			v.found = append(v.found, Found{Detection: box("x", random.Float64(), x, y, x+10, y+10)})
		}
		lists[k] = ballot{v, 1}
	}
	v := &Vote{Method: "wbf"}
	out, err := v.boxes(t.Context(), lists)
	if err != nil || len(out.found) > 2*mostFused || len(out.found) < mostFused {
		t.Errorf("%v %d", err, len(out.found))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.boxes(ctx, lists); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := suppress(ctx, out.found, 0.5); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
