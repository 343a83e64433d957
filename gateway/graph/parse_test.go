package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"triton-gateway/task"
)

func TestParseReadsADocument(t *testing.T) {
	g := parsed(t, detectCropClassify)
	if g.Description() != "finds and names" || g.TakesRows() || g.output != 2 || len(g.nodes) != 3 {
		t.Fatalf("%+v", g)
	}
	uses := g.Uses()
	if len(uses) != 2 || uses[0].Model != "detect" || !uses[0].Leading || uses[1].Model != "classify" || uses[1].Leading {
		t.Errorf("uses %+v", uses)
	}
	if l := g.Leading(); l.Model != "detect" {
		t.Errorf("leading %+v", l)
	}
	if g.Task(task.ObjectDetection) != task.ObjectDetection {
		t.Error("the answer is not detections")
	}
	if other := parsed(t, detectCropClassify+"# another text\n"); other.Digest() == g.Digest() {
		t.Error("two texts, one digest")
	}
	if err := g.Check(tasks); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestParseNamesThePlace(t *testing.T) {
	const find = "nodes:\n  - {name: find, model: detect, from: input}\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"no nodes", "description: x\n", "nodes: a graph needs at least one node"},
		{"no mapping", "- a\n", "keys and values are expected"},
		{"unknown key", "node: []\n", `[1:1] node: unknown key; did you mean "nodes"?`},
		{"unknown key of a node", "nodes:\n  - {name: a, modell: x, from: input}\n", `[2:15] nodes[0].modell: unknown key; did you mean "model"?`},
		{"wrong type", find + "parallel: many\n", "[3:11] parallel: a whole number is expected"},
		{"anchor", "nodes: &a\n  - {name: a, model: x, from: input}\n", "nodes: a list is expected here, not an anchor"},
		{"two documents", find + "---\n" + find, "several documents"},
		{"input", "input: table\n" + find, `[1:8] input: "table" is neither image nor row`},
		{"parallel", find + "parallel: 65\n", "[3:11] parallel: must be 1 to 64, got 65"},
		{"parallel 0", find + "parallel: 0\n", "must be 1 to 64, got 0"},
		{"timeout", find + "timeout: 1h\n", "timeout: must be 1ms to 10m0s, got 1h0m0s"},
		{"timeout without unit", find + "timeout: 5\n", "a duration with a unit is expected"},
		{"output", find + "output: fnid\n", `[3:9] output: there is no node "fnid"`},
		{"node name", "nodes:\n  - {name: a b, model: x, from: input}\n", `nodes[0].name: a node's name has 1 to 64 letters`},
		{"node input", "nodes:\n  - {name: input, model: x, from: input}\n", `"input" is the name of another node, or of the input`},
		{"twice", "nodes:\n  - {name: a, model: x, from: input}\n  - {name: a, model: x, from: input}\n", `[3:12] nodes[1].name: "a" is the name of another`},
		{"nothing to do", "nodes:\n  - {name: a, from: input}\n", "nodes[0]: a node has exactly one of model, crop"},
		{"two things to do", "nodes:\n  - {name: a, model: x, crop: {}, from: input}\n", "this one has 2"},
		{"model without name", "nodes:\n  - {name: a, model: '', from: input}\n", "nodes[0].model: the name of a model is missing"},
		{"no from", "nodes:\n  - {name: a, model: x}\n", "nodes[0]: from is missing"},
		{"two froms", "nodes:\n  - {name: a, model: x, from: [input, input]}\n", "a model reads at most 1, not 2"},
		{"from a number", "nodes:\n  - {name: a, model: x, from: 3}\n", "[2:31] nodes[0].from: a name or a list of names"},
		{"unknown from", find + "  - {name: cut, crop: {}, from: finds}\n", `[3:33] nodes[1].from: there is no node "finds"; did you mean "find"?`},
		{"from twice", find + "  - {name: m, merge: {}, from: [find, find]}\n", `"find" is there twice`},
		{"on_error", "nodes:\n  - {name: a, model: x, from: input, on_error: retry}\n", `"retry" is none of fail, skip, default`},
		{"default without on_error", "nodes:\n  - {name: a, model: x, from: input, default: {label: no}}\n", "used with on_error: default alone"},
		{"default without label", "nodes:\n  - {name: a, model: x, from: input, on_error: default, default: {score: 1}}\n", "label is missing"},
		{"default score", "nodes:\n  - {name: a, model: x, from: input, on_error: default, default: {label: n, score: 2}}\n", "must be 0 to 1, got 2"},
		{"node timeout", "nodes:\n  - {name: a, model: x, from: input, timeout: 0s}\n", "nodes[0].timeout: must be 1ms to"},
		{"version of a crop", find + "  - {name: c, crop: {}, from: find, version: 1}\n", "only a model has this; the node is a crop"},
		{"option", "nodes:\n  - {name: a, model: x, from: input, options: {confidence: 1.5}}\n", "nodes[0].options.confidence: must be 0 to 1, got 1.5"},
		{"top_k", "nodes:\n  - {name: a, model: x, from: input, options: {top_k: 0}}\n", "must be 1 to 65536, got 0"},
		{"crop cap", find + "  - {name: c, crop: {max: 1001}, from: find}\n  - {name: k, model: y, from: c}\n", "[3:27] nodes[1].crop.max: must be 1 to 1000, got 1001"},
		{"crop pad", find + "  - {name: c, crop: {pad: -0.1}, from: find}\n", "crop.pad: must be 0 to 2, got -0.1"},
		{"crop of a row", "input: row\nnodes:\n  - {name: a, model: x, from: input}\n  - {name: c, crop: {}, from: a}\n", "a row has no parts"},
		{"filter", find + "  - {name: f, filter: {where: {score_over: 2}}, from: find}\n", "filter.where.score_over: must be 0 to 1, got 2"},
		{"filter count", find + "  - {name: f, filter: {where: {count_over: 2}}, from: find}\n", "counts are for the cases of a switch"},
		{"map", find + "  - {name: f, map: {}, from: find}\n", "it changes nothing"},
		{"switch without cases", find + "  - {name: s, switch: {cases: []}, from: find}\n", "a switch has 1 to 16 cases, not 0"},
		{"case without end", find + "  - {name: s, switch: {cases: [{when: {label: a}}]}, from: find}\n", "switch.cases[0]: a case either runs nodes or has stop: true"},
		{"else both", find + "  - {name: s, switch: {cases: [{stop: true}], else: {stop: true, run: find}}, from: find}\n", "else: it either runs nodes or has stop"},
		{"case of nobody", find + "  - {name: s, switch: {cases: [{run: gone}]}, from: find}\n", `nodes[1].switch.cases[0].run: there is no node "gone"`},
		{"vote method", find + "  - {name: v, vote: {method: best}, from: find}\n", `"best" is none of mean, weighted, majority, wbf`},
		{"weighted", find + "  - {name: v, vote: {method: weighted}, from: find}\n", "weighted needs weights"},
		{"weights of a mean", find + "  - {name: v, vote: {weights: [1]}, from: find}\n", "mean has no weights"},
		{"weights too many", find + "  - {name: v, vote: {method: wbf, weights: [1, 2]}, from: find}\n", "2 weights for 1 nodes"},
		{"weight 0", find + "  - {name: v, vote: {method: wbf, weights: [0]}, from: find}\n", "vote.weights[0]: a weight is above 0"},
		{"quorum", find + "  - {name: v, vote: {quorum: 2}, from: find}\n", "vote.quorum: must be 1 to 1, got 2"},
		{"top_k of wbf", find + "  - {name: v, vote: {method: wbf, top_k: 3}, from: find}\n", "this method has no such setting"},
		{"reads itself", "nodes:\n  - {name: a, model: x, from: a}\n", "nodes: the graph runs in a circle: a -> a"},
		{"circle", "nodes:\n  - {name: a, merge: {}, from: [b, find]}\n  - {name: find, model: x, from: input}\n  - {name: b, filter: {where: {label: x}}, from: a}\n", "the graph runs in a circle: a -> b -> a"},
		{"circle by a switch", "nodes:\n  - {name: s, switch: {cases: [{run: find}]}, from: find}\n  - {name: find, model: x, from: input}\n", "runs in a circle: "},
		{"leads nowhere", find + "  - {name: two, model: y, from: input}\n", `nodes[0]: node "find" leads nowhere: the answer is that of "two"`},
		{"crops as the answer", find + "  - {name: c, crop: {}, from: find}\n", "crops are no answer"},
		{"filter of the input", "nodes:\n  - {name: f, filter: {where: {label: x}}, from: input}\n", `"input" gives the picture, and a filter cannot read that`},
		{"crop of crops", find + "  - {name: c, crop: {}, from: find}\n  - {name: d, crop: {}, from: c}\n", `"c" gives crops, and a crop cannot read that`},
		{"vote on crops", find + "  - {name: c, crop: {}, from: find}\n  - {name: d, vote: {}, from: c}\n", `"c" gives crops, and a vote cannot read that`},
		{"model on detections", find + "  - {name: c, filter: {where: {label: x}}, from: find}\n  - {name: cut, crop: {}, from: c}\n  - {name: k, model: y, from: cut}\n  - {name: l, model: z, from: k}\n",
			`"k" gives detections, and a model reads the input or crops`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var faults task.Faults
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// All faults are told at once, in the order of the text.
func TestParseTellsAll(t *testing.T) {
	_, err := Parse([]byte("parallel: 0\nnodes:\n  - {name: a, model: x, from: input, timeout: 1ns}\n  - {name: b, crop: {pad: 9}, from: a}\n"))
	var faults task.Faults
	if !errors.As(err, &faults) || len(faults) != 3 || faults[0].Line != 1 || faults[1].Line != 3 || faults[2].Line != 4 || faults[2].Path != "nodes[1].crop.pad" {
		t.Errorf("%v", err)
	}
}

func TestParseLimits(t *testing.T) {
	if _, err := Parse([]byte("description: " + strings.Repeat("x", MostBytes))); err == nil || !strings.Contains(err.Error(), "larger than 64 KiB") {
		t.Errorf("a long text: %v", err)
	}
	var b strings.Builder
	b.WriteString("nodes:\n")
	for i := range MostNodes + 1 {
		fmt.Fprintf(&b, "  - {name: n%d, model: x, from: input}\n", i)
	}
	if _, err := Parse([]byte(b.String())); err == nil || !strings.Contains(err.Error(), "65 nodes; at most 64") {
		t.Errorf("many nodes: %v", err)
	}
}

// What the models do decides what fits, and the place is named.
func TestCheckKnowsTheModels(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"nodes:\n  - {name: a, model: raw, from: input}\n", `nodes[0].model: model "raw" takes tensors`},
		{"nodes:\n  - {name: a, model: iris, from: input}\n", `model "iris" (tabular-classification) takes rows, and reads the picture`},
		{"input: row\nnodes:\n  - {name: a, model: classify, from: input}\n", `takes pictures, and the input is a row`},
		{"nodes:\n  - {name: a, model: classify, from: input}\n  - {name: c, crop: {}, from: a}\n  - {name: k, model: classify, from: c}\n", `nodes[1].from: "a" gives classes, and a crop cannot read that`},
		{"nodes:\n  - {name: a, model: embed, from: input}\n  - {name: f, filter: {where: {label: x}}, from: a}\n", `gives an answer that no node reads`},
		{"nodes:\n  - {name: a, model: detect, from: input}\n  - {name: c, crop: {}, from: a}\n  - {name: k, model: embed, from: c}\n", "only classifiers and detectors do"},
		{"nodes:\n  - {name: a, model: detect, from: input}\n  - {name: b, model: classify, from: input}\n  - {name: m, merge: {}, from: [a, b]}\n", `"b" gives classes where the others give detections`},
		{"nodes:\n  - {name: a, model: detect, from: input}\n  - {name: b, model: detect2, from: input}\n  - {name: v, vote: {}, from: [a, b]}\n", "for detections use method wbf"},
		{"nodes:\n  - {name: a, model: classify, from: input}\n  - {name: v, vote: {method: wbf}, from: a}\n", "a vote by wbf cannot read that"},
		{"nodes:\n  - {name: a, model: detect, from: input, on_error: default, default: {label: x}}\n", "gives no classes; without default it gives nothing"},
		{"output: k\nnodes:\n  - {name: b, model: classify, from: input}\n  - {name: s, switch: {cases: [{when: {label: none}, stop: true}], else: {run: k}}, from: b}\n  - {name: k, model: detect, from: input}\n",
			"nodes[1].switch: where it stops, the answer is classes; the graph's answer is detections"},
	} {
		g := parsed(t, c.text) // right as long as the models are not known
		err := g.Check(tasks)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestTaskOfTheAnswer(t *testing.T) {
	for _, c := range []struct {
		text    string
		leading task.Name
		want    task.Name
	}{
		{"nodes: [{name: a, model: detect, from: input}]", task.ObjectDetection, task.ObjectDetection},
		{"nodes: [{name: a, model: classify, from: input}]", task.ImageClassification, task.ImageClassification},
		{"nodes: [{name: a, model: embed, from: input}]", task.ImageFeatureExtraction, task.ImageFeatureExtraction},
		{"input: row\nnodes: [{name: a, model: iris, from: input}, {name: b, model: iris2, from: input}, {name: v, vote: {}, from: [a, b]}]", task.TabularClassification, task.TabularClassification},
		{detectCropClassify, task.ObjectDetection, task.ObjectDetection},
	} {
		if got := parsed(t, c.text).Task(c.leading); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(detectCropClassify)
	f.Add("nodes:\n  - {name: s, switch: {cases: [{when: {label: a, inner: {labels: [b]}}, stop: true}], else: {run: [find]}}, from: x}\n")
	f.Add("nodes: [{name: v, vote: {method: wbf, weights: [1e400, .nan]}, from: [a, input]}]")
	f.Add("nodes: [[[[{")
	f.Add("output: v\ninput: row\nparallel: -1\nnodes:\n- name: v\n  from: v\n  map: {labels: {? a : b}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := Parse([]byte(text))
		if err != nil {
			var faults task.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		_ = g.Check(tasks)
		_ = g.Task("")
		if a, err := g.Run(t.Context(), models{}, input()); err == nil {
			_ = a.AppendJSON(nil)
		}
	})
}
