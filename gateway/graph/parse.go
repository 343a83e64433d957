package graph

import (
	"cmp"
	"slices"

	"triton-gateway/task"
)

// Parse reads a document. Everything that is wrong with it is reported at once, as task.Faults with line and column: unknown keys, wrong types, names that
// are not there, cycles, nodes that read what they cannot use, and limits. What the models do is not known yet: see Graph.Check.
func Parse(data []byte) (*Graph, error) {
	if len(data) > MostBytes {
		return nil, task.Faults{{Message: "the file is larger than 64 KiB"}}
	}
	g := &Graph{digest: digestOf(data)}
	err := task.Read(data, &g.doc, func(given func(string) bool) task.Faults {
		faults := faults{given: given}
		faults.document(&g.doc)
		if len(faults.list) == 0 {
			g.build(&faults)
		}
		return faults.list
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// build makes nodes of a document whose nodes are sound each for itself.
func (g *Graph) build(f *faults) {
	index := map[string]int{}
	for i := range g.doc.Nodes {
		index[g.doc.Nodes[i].Name] = i
		g.nodes = append(g.nodes, node{Node: &g.doc.Nodes[i], onError: g.doc.Nodes[i].OnError})
	}
	if g.input = picture; g.doc.Input == "row" {
		g.input = row
	}
	g.output = len(g.nodes) - 1
	if name := g.doc.Output; name != "" {
		at, ok := index[name]
		if !ok {
			f.add("output", "there is no node %q", name)
			return
		}
		g.output = at
	}
	g.doc.Parallel = cmp.Or(g.doc.Parallel, defaultParallel)
	g.link(f, index)
	if len(f.list) > 0 {
		return
	}
	if cycle := g.cycle(); cycle != "" {
		f.add("nodes", "the graph runs in a circle: %s; a node may read only what comes before it", cycle)
		return
	}
	g.lead()
	g.used(f)
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.onError == "" {
			if n.onError = "fail"; n.votes && g.onlyVotes(i) {
				n.onError = "skip"
			}
		}
	}
	g.fit(f, func(string, string) (task.Name, bool) { return "", false })
}

// link finds what the names mean.
func (g *Graph) link(f *faults, index map[string]int) {
	for i := range g.nodes {
		n := &g.nodes[i]
		at := place("nodes", i)
		for k, name := range n.From {
			j, ok := index[name]
			switch {
			case name == inputName:
				n.reads = append(n.reads, -1)
			case !ok:
				f.add(at+".from", "there is no node %q%s", name, f.suggest(name, g.doc.Nodes))
			case slices.Contains(n.From[:k], name):
				f.add(at+".from", "%q is there twice", name)
			default:
				n.reads = append(n.reads, j)
				n.needs = append(n.needs, j)
				g.nodes[j].votes = g.nodes[j].votes || n.Vote != nil
				g.nodes[j].ballot = g.nodes[j].ballot || n.Vote != nil && n.Vote.Method != "wbf"
			}
		}
		if n.Switch == nil {
			continue
		}
		for where, run := range n.Switch.targets() {
			for _, name := range run {
				j, ok := index[name]
				if !ok {
					f.add(at+".switch."+where, "there is no node %q%s", name, f.suggest(name, g.doc.Nodes))
				} else if !slices.Contains(g.nodes[j].gates, i) {
					g.nodes[j].gates = append(g.nodes[j].gates, i)
					g.nodes[j].needs = append(g.nodes[j].needs, i)
				}
			}
		}
	}
}

// onlyVotes reports that nothing but votes reads node i.
func (g *Graph) onlyVotes(i int) bool {
	if i == g.output {
		return false
	}
	for k := range g.nodes {
		if g.nodes[k].Vote == nil && slices.Contains(g.nodes[k].needs, i) {
			return false
		}
	}
	return true
}
