package graph

import (
	"slices"
	"strings"
)

// cycle gives one circle in words, such as "a -> b -> a"; "" where there is none.
func (g *Graph) cycle() string {
	const (
		fresh = iota
		open
		closed
	)
	state := make([]int, len(g.nodes))
	var path []int
	var visit func(i int) string
	visit = func(i int) string {
		switch state[i] {
		case closed:
			return ""
		case open:
			var names []string
			for _, k := range append(path[slices.Index(path, i):], i) {
				names = append(names, g.nodes[k].Name)
			}
			slices.Reverse(names) // needs run against the flow
			return strings.Join(names, " -> ")
		}
		state[i] = open
		path = append(path, i)
		for _, k := range g.nodes[i].needs {
			if circle := visit(k); circle != "" {
				return circle
			}
		}
		path = path[:len(path)-1]
		state[i] = closed
		return ""
	}
	for i := range g.nodes {
		if circle := visit(i); circle != "" {
			return circle
		}
	}
	return ""
}

// order gives the nodes so that each comes after all that it needs. There is no cycle.
func (g *Graph) order() []int {
	var list []int
	seen := make([]bool, len(g.nodes))
	for i := range g.nodes {
		g.reach(i, seen, needsOf, func(i int) { list = append(list, i) })
	}
	return list
}

// reach visits a node and all that its edges lead to, each of them once and after those that its own lead to. seen are those that were visited before.
func (g *Graph) reach(i int, seen []bool, edges func(n *node) []int, visit func(i int)) {
	if i < 0 || seen[i] { // -1 is the input
		return
	}
	seen[i] = true
	for _, k := range edges(&g.nodes[i]) {
		g.reach(k, seen, edges, visit)
	}
	visit(i)
}

func needsOf(n *node) []int { return n.needs }

func readsOf(n *node) []int { return n.reads }

// used refuses nodes that the answer does not depend on.
func (g *Graph) used(f *faults) {
	seen := make([]bool, len(g.nodes))
	for i := range g.nodes {
		s := g.nodes[i].Switch
		if i == g.output || s != nil && s.stops() { // a switch that may end the graph decides the answer too
			g.reach(i, seen, needsOf, func(int) {})
		}
	}
	for i, ok := range seen {
		if !ok {
			f.add(place("nodes", i), "node %q leads nowhere: the answer is that of %q, which does not depend on it; remove it or read it", g.nodes[i].Name, g.nodes[g.output].Name)
		}
	}
}

// lead marks the models whose boxes or classes are answered.
func (g *Graph) lead() {
	g.reach(g.output, make([]bool, len(g.nodes)), readsOf, func(i int) {
		n := &g.nodes[i]
		// A classifier on crops adds to the detections of another model. Which task it has is not known here, but a detector on crops is rare, and its own
		// options can be written down; so the way goes on to the model that found the boxes.
		if n.Model != "" && n.reads[0] < 0 {
			n.leading = true
		}
	})
}
