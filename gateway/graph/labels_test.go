package graph

import (
	"strings"
	"testing"

	"triton-gateway/task"
)

// A label that never comes is refused with its place; what may come is not, whichever way it takes through maps, crops, merges and defaults.
func TestLabelsThatNeverCome(t *testing.T) {
	known := func(model, _ string) (task.Name, bool) {
		return map[string]task.Name{"detect": task.ObjectDetection, "name": task.ImageClassification, "blind": task.ObjectDetection}[model], true
	}
	labels := func(model, _ string) []string {
		return map[string][]string{"detect": {"circle", "star"}, "name": {"red", "blue"}}[model]
	}
	const find = "nodes:\n- {name: find, model: detect, from: input}\n"
	const kind = find + "- {name: cut, crop: {}, from: find}\n- {name: kind, model: name, from: cut, on_error: default, default: {label: none}}\n"
	for _, c := range []struct{ text, want string }{
		{find + "- {name: only, filter: {where: {label: circel}}, from: find}\n", `nodes[1].filter.where.label: "circel" is no label of what "find" gives; did you mean "circle"?`},
		{find + "- {name: only, filter: {where: {labels: [star, moon]}}, from: find}\n", `nodes[1].filter.where.labels[1]: "moon" is no label of what "find" gives; there are circle, star`},
		{find + "- {name: only, filter: {where: {label: circle}}, from: find}\n", ""},
		{find + "- {name: cut, crop: {labels: [stars]}, from: find}\n- {name: kind, model: name, from: cut}\n", `nodes[1].crop.labels[0]: "stars" is no label of what "find" gives; did you mean "star"?`},
		{kind + "- {name: only, filter: {where: {inner: {label: redd}}}, from: kind}\n", `nodes[3].filter.where.inner.label: "redd" is no label of what "kind" gives; did you mean "red"?`},
		{kind + "- {name: only, filter: {where: {label: star, inner: {labels: [blue, none]}}}, from: kind}\n", ""},
		{kind + "- {name: up, map: {promote: true, labels: {red: rouge}}, from: kind}\n- {name: only, filter: {where: {labels: [rouge, star, blue]}}, from: up}\n", ""},
		{kind + "- {name: up, map: {promote: true, labels: {red: rouge}}, from: kind}\n- {name: only, filter: {where: {label: red}}, from: up}\n", `nodes[4].filter.where.label: "red" is no label of what "up" gives`},
		{find + "- name: gate\n  from: find\n  switch: {cases: [{when: {label: cirle}, stop: true}], else: {run: [only]}}\n- {name: only, filter: {best: 1}, from: find}\n", `nodes[1].switch.cases[0].when.label: "cirle" is no label`},
		{"nodes:\n- {name: find, model: blind, from: input}\n- {name: only, filter: {where: {label: moon}}, from: find}\n", ""},
		{find + "- {name: more, model: blind, from: input}\n- {name: both, merge: {}, from: [find, more]}\n- {name: only, filter: {where: {label: moon}}, from: both}\n", ""},
		{find + "- {name: more, model: detect, from: input}\n- {name: both, merge: {}, from: [find, more]}\n- {name: only, filter: {where: {label: moon}}, from: both}\n", `nodes[3].filter.where.label: "moon" is no label of what "both" gives`},
	} {
		g, err := Parse([]byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if err := g.Check(known); err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		switch err := g.CheckLabels(known, labels); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, not %s", c.text, err, c.want)
		}
	}
}
