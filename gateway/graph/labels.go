package graph

import (
	"fmt"
	"slices"
	"strings"

	"triton-gateway/internal/nearest"
	"triton-gateway/task"
)

// Labels gives the labels that a model may answer; nil where they are not known.
type Labels func(model, version string) []string

// CheckLabels refuses conditions and crops that ask for labels that never come, as task.Faults by path: what they are for would never happen, without a word. Where
// one of the models that is read has labels that are not known, nothing is refused.
func (g *Graph) CheckLabels(known Known, of Labels) error {
	c := labelCheck{faults: &faults{}, graph: g, own: make([][]string, len(g.nodes)), inner: make([][]string, len(g.nodes))}
	for _, i := range g.order() {
		c.own[i], c.inner[i] = c.gives(&g.nodes[i], known, of)
		c.node(i)
	}
	if len(c.list) == 0 {
		return nil
	}
	return c.list
}

// labelCheck has by node the labels of what it gives, and of the classes that were found in its crops. nil: not known. They may be more than those that come.
type labelCheck struct {
	*faults
	graph      *Graph
	own, inner [][]string
}

// gives infers the labels that come out of a node of those that it reads.
func (c *labelCheck) gives(n *node, known Known, of Labels) (own, inner []string) {
	read := n.reads[0]
	switch {
	case n.Model != "":
		does, ok := known(n.Model, n.Version)
		labels := of(n.Model, n.Version)
		if labels != nil && n.Default != nil {
			labels = append(slices.Clip(labels), n.Default.Label)
		}
		switch {
		case read < 0 || ok && does == task.ObjectDetection:
			return labels, nil
		case ok:
			return c.own[read], labels
		}
		return nil, nil
	case n.Map != nil:
		own, inner = c.own[read], c.inner[read]
		if n.Map.Promote {
			own = union(own, inner)
		}
		if own == nil {
			return nil, inner
		}
		own = slices.Clone(own)
		for k, label := range own {
			if to, ok := n.Map.Labels[label]; ok {
				own[k] = to
			}
		}
		return own, inner
	case n.Merge != nil, n.Vote != nil:
		own, inner = c.own[read], c.inner[read]
		for _, j := range n.reads[1:] {
			own, inner = union(own, c.own[j]), union(inner, c.inner[j])
		}
		return own, inner
	}
	return c.own[read], c.inner[read]
}

// union has the labels of both; nil where one is not known.
func union(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	return append(slices.Clip(a), b...)
}

func (c *labelCheck) node(i int) {
	n := &c.graph.nodes[i]
	at := place("nodes", i)
	switch {
	case n.Crop != nil:
		c.all(at+".crop", "", n.Crop.Labels, n.From[0], c.own[n.reads[0]])
	case n.Filter != nil:
		c.holds(at+".filter.where", &n.Filter.Where, n)
	case n.Switch != nil:
		for k := range n.Switch.Cases {
			c.holds(at+".switch."+place("cases", k)+".when", &n.Switch.Cases[k].When, n)
		}
	}
}

func (c *labelCheck) holds(at string, w *Condition, n *node) {
	c.all(at, w.Label, w.Labels, n.From[0], c.own[n.reads[0]])
	if w.Inner != nil {
		c.all(at+".inner", w.Inner.Label, w.Inner.Labels, n.From[0], c.inner[n.reads[0]])
	}
}

// all checks one label and a list of them against those that come from a node.
func (c *labelCheck) all(at, label string, labels []string, from string, come []string) {
	if come == nil {
		return
	}
	if label != "" && !slices.Contains(come, label) {
		c.add(at+".label", "%q is no label of what %q gives%s", short(label), from, meant(label, come))
	}
	for k, l := range labels {
		if !slices.Contains(come, l) {
			c.add(at+"."+place("labels", k), "%q is no label of what %q gives%s", short(l), from, meant(l, come))
		}
	}
}

// meant names the label that is near, or the first that there are.
func meant(label string, come []string) string {
	const show = 10
	if near := nearest.Word(label, come); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	text := "; there are " + strings.Join(come[:min(show, len(come))], ", ")
	if len(come) > show {
		text += ", ..."
	}
	return text
}
