package graph

// Part is a node as people see it.
type Part struct {
	Name    string
	Kind    string   // model, crop, filter, map, merge, switch or vote
	Model   string   // of a model
	Version string   // of a model; "" is the one that the model's policy gives
	From    []string // what it reads: nodes, or input
	Gates   []string // switches that decide whether it runs; none: it runs always
	Answers bool     // it is answered, where no switch ends the graph before
}

// Parts lists the nodes in the order of the document.
func (g *Graph) Parts() []Part {
	list := make([]Part, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		list[i] = Part{Name: n.Name, Kind: n.what(), Model: n.Model, Version: n.Version, From: append([]string{}, n.From...), Answers: i == g.output}
		for _, gate := range n.gates {
			list[i].Gates = append(list[i].Gates, g.nodes[gate].Name)
		}
	}
	return list
}
