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
	done := make([]bool, len(g.nodes))
	var list []int
	var visit func(i int)
	visit = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		for _, k := range g.nodes[i].needs {
			visit(k)
		}
		list = append(list, i)
	}
	for i := range g.nodes {
		visit(i)
	}
	return list
}

// used refuses nodes that the answer does not depend on.
func (g *Graph) used(f *faults) {
	seen := make([]bool, len(g.nodes))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, k := range g.nodes[i].needs {
			visit(k)
		}
	}
	visit(g.output)
	for i := range g.nodes { // a switch that may end the graph decides the answer too
		if s := g.nodes[i].Switch; s != nil && s.stops() {
			visit(i)
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
	seen := make([]bool, len(g.nodes))
	var visit func(i int)
	visit = func(i int) {
		if i < 0 || seen[i] {
			return
		}
		seen[i] = true
		n := &g.nodes[i]
		// A classifier on crops adds to the detections of another model. Which task it has is not known here, but a detector on crops is rare, and its own
		// options can be written down; so the way goes on to the model that found the boxes.
		if n.Model != "" && n.reads[0] < 0 {
			n.leading = true
		}
		for _, k := range n.reads {
			visit(k)
		}
	}
	visit(g.output)
}
