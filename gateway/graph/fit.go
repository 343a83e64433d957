package graph

import (
	"triton-gateway/task"
)

// Known tells what a model does; false where it is not known.
type Known func(model, version string) (task.Name, bool)

// Check says whether the models do what the nodes need, as task.Faults by path. Models that are not known fit.
func (g *Graph) Check(known Known) error {
	f := faults{given: func(string) bool { return true }}
	g.fit(&f, known)
	if len(f.list) == 0 {
		return nil
	}
	return f.list
}

// fit refuses nodes that read what they cannot use.
func (g *Graph) fit(f *faults, known Known) {
	types := g.kindsWith(known)
	of := func(i int) kind {
		if i < 0 {
			return g.input
		}
		return types[i]
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		at := place("nodes", i)
		if n.Model != "" {
			g.fitModel(f, at, n, of(n.reads[0]), known)
			continue
		}
		first := unknown
		for k, j := range n.reads {
			have := of(j)
			if have == unknown {
				continue
			}
			if !n.takes(have) {
				f.add(at+".from", "%q gives %s, and a %s cannot read that", n.From[k], have, n.whatMethod())
			} else if first != unknown && first != have {
				f.add(at+".from", "%q gives %s where the others give %s", n.From[k], have, first)
			} else {
				first = have
			}
		}
		if n.Vote != nil && n.Vote.Method != "wbf" && first == detections {
			g.sameCrops(f, at, n)
		}
		if n.Switch != nil && n.Switch.stops() {
			if have, want := types[i], types[g.output]; have != want && have != unknown && want != unknown {
				f.add(at+".switch", "where it stops, the answer is %s; the graph's answer is %s", have, want)
			}
		}
	}
	if k := types[g.output]; k == crops {
		f.add(place("nodes", g.output), "crops are no answer: let a model read them")
	}
}

func (g *Graph) fitModel(f *faults, at string, n *node, reads kind, known Known) {
	does, ok := known(n.Model, n.Version)
	rows := does == task.TabularClassification || does == task.TabularRegression
	switch {
	case reads != picture && reads != row && reads != crops && reads != unknown:
		f.add(at+".from", "%q gives %s, and a model reads the input or crops: put a crop node between them", n.From[0], reads)
	case !ok:
	case does == task.Raw:
		f.add(at+".model", "model %q takes tensors (task raw), which no node gives", n.Model)
	case rows && reads != row:
		f.add(at+".model", "model %q (%s) takes rows, and reads %s", n.Model, does, reads)
	case !rows && reads == row:
		f.add(at+".model", "model %q (%s) takes pictures, and the input is a row", n.Model, does)
	case reads == crops && does != task.ImageClassification && does != task.ObjectDetection:
		f.add(at+".model", "model %q (%s) reads crops; only classifiers and detectors do", n.Model, does)
	}
	if n.Default != nil && ok && does != task.ImageClassification && does != task.TabularClassification {
		f.add(at+".default", "model %q (%s) gives no classes; without default it gives nothing where it fails", n.Model, does)
	}
}

// takes reports whether a node that is no model reads what is of this kind.
func (n *node) takes(k kind) bool {
	switch {
	case n.Crop != nil:
		return k == detections
	case n.Vote != nil && n.Vote.Method == "wbf":
		return k == detections
	case n.Map != nil && n.Map.Promote:
		return k == detections
	}
	return k == detections || k == classes
}

func (n *node) whatMethod() string {
	if n.Vote != nil && n.Vote.Method != "" {
		return "vote by " + n.Vote.Method
	}
	return n.what()
}

// sameCrops refuses votes on the classes of detections that are not the same ones.
func (g *Graph) sameCrops(f *faults, at string, n *node) {
	source := -2
	for k, j := range n.reads {
		from := -2
		if j >= 0 && g.nodes[j].Model != "" {
			from = g.nodes[j].reads[0]
		}
		if from < 0 || source != -2 && from != source {
			f.add(at+".from", "a vote by classes needs classifiers that read the same crops, unlike %q; for detections use method wbf", n.From[k])
			return
		}
		source = from
	}
}

// kindsWith infers what each node gives.
func (g *Graph) kindsWith(known Known) []kind {
	types := make([]kind, len(g.nodes))
	for _, i := range g.order() {
		n := &g.nodes[i]
		reads := g.input
		if n.reads[0] >= 0 {
			reads = types[n.reads[0]]
		}
		switch {
		case n.Model != "":
			types[i] = answers(reads, known, n)
		case n.Crop != nil:
			types[i] = crops
		case n.Vote != nil && n.Vote.Method == "wbf", n.Map != nil && n.Map.Promote:
			types[i] = detections
		default:
			for _, j := range n.reads { // the first that is known
				if j >= 0 && types[i] == unknown {
					types[i] = types[j]
				}
			}
		}
	}
	return types
}

// answers is what a model gives that reads reads.
func answers(reads kind, known Known, n *node) kind {
	if reads == crops {
		return detections
	}
	does, ok := known(n.Model, n.Version)
	switch {
	case !ok:
		return unknown
	case does == task.ObjectDetection:
		return detections
	case does == task.ImageClassification || does == task.TabularClassification:
		return classes
	}
	return other
}
