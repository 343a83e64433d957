package graph

import (
	"context"
	"fmt"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// work does what the node is for. inputs are the values that it reads; a vote waits for its own.
func (e *execution) work(ctx context.Context, n *node, s *step, inputs []*value) (*value, error) {
	if n.Vote != nil {
		return e.vote(ctx, n)
	}
	for _, v := range inputs {
		if n.Model == "" && !n.takes(v.kind) || v.kind != inputs[0].kind || n.Model != "" && v.kind != crops {
			return nil, fault.New(fault.Contract, "upstream_contract", "it cannot read %s", v.kind)
		}
	}
	switch {
	case n.Model != "" && len(inputs) == 0:
		return e.ask(ctx, n)
	case n.Model != "":
		return e.askEach(ctx, n, s, inputs[0])
	case n.Crop != nil:
		v, left := n.cut(inputs[0], e.in.Width, e.in.Height)
		s.Left = left
		return v, nil
	case n.Filter != nil:
		return n.Filter.keep(inputs[0]), nil
	case n.Map != nil:
		return n.Map.change(inputs[0]), nil
	case n.Merge != nil:
		return n.Merge.together(ctx, inputs)
	}
	s.chosen = n.Switch.choose(inputs[0])
	return inputs[0], nil
}

// instead is what stands for a failed node with on_error: default; nil for nothing. A classifier on crops that failed as a whole has given nothing to hold defaults.
func (n *node) instead() *value {
	if n.Default == nil || n.Model == "" || n.reads[0] >= 0 {
		return nil
	}
	return &value{kind: classes, classes: n.byDefault()}
}

func (n *node) byDefault() []postprocess.Prediction {
	return []postprocess.Prediction{{Label: n.Default.Label, Index: n.Default.Index, Score: n.Default.Score}}
}

// choose gives the nodes that a switch runs; nil where it ends the graph.
func (s *Switch) choose(v *value) map[string]bool {
	run, stop := s.Else.Run, s.Else.Stop
	for i := range s.Cases {
		if s.Cases[i].When.holds(v) {
			run, stop = s.Cases[i].Run, s.Cases[i].Stop
			break
		}
	}
	if stop {
		return nil
	}
	chosen := map[string]bool{}
	for _, name := range run {
		chosen[name] = true
	}
	return chosen
}

// keep is a filter. The order stays where best is not given.
func (f *Filter) keep(v *value) *value {
	out := &value{kind: v.kind}
	if v.kind == classes {
		out.classes = []postprocess.Prediction{}
		for i := range v.classes {
			if f.Where.class(&v.classes[i]) != f.Drop {
				out.classes = append(out.classes, v.classes[i])
			}
		}
		if f.Best > 0 {
			out.classes = bestClasses(out.classes, f.Best)
		}
		return out
	}
	out.found = []Found{}
	for i := range v.found {
		if f.Where.found(&v.found[i]) != f.Drop {
			out.found = append(out.found, v.found[i])
		}
	}
	if f.Best > 0 {
		out.found = best(out.found, f.Best)
	}
	return out
}

// change is a map.
func (m *Map) change(v *value) *value {
	out := &value{kind: v.kind}
	rename := func(label *string) {
		if to, ok := m.Labels[*label]; ok {
			*label = to
		}
	}
	for _, p := range v.classes {
		rename(&p.Label)
		out.classes = append(out.classes, p)
	}
	for _, f := range v.found {
		if m.Promote && len(f.Predictions) > 0 {
			p := bestClasses(f.Predictions, 1)[0]
			f.Label, f.Index, f.Score = p.Label, p.Index, p.Score
		}
		rename(&f.Label)
		out.found = append(out.found, f)
	}
	return out
}

// recovered runs f on a goroutine where a panic would end the process.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
