package embedded

import (
	"slices"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// plan is one request that has passed backend.Check, in the model's own order and shapes.
type plan struct {
	request *backend.Request
	config  *modelconfig.Config
	inputs  []tensor.Tensor
	shapes  [][]int64 // of the outputs, where they are known before the run
	batch   int64     // 0: the model has no batch dimension
}

// newPlan puts a request in order. It fails where the config calls an input optional that the model needs.
func newPlan(run *loaded, r *backend.Request) (*plan, error) {
	graph := run.session.Graph()
	p := &plan{request: r, config: run.config, batch: backend.Batch(run.config, r),
		inputs: make([]tensor.Tensor, len(graph.Inputs)), shapes: make([][]int64, len(graph.Outputs))}
	for i := range graph.Inputs {
		name := graph.Inputs[i].Name
		k := slices.IndexFunc(r.Inputs, func(t tensor.Tensor) bool { return t.Name == name })
		if k < 0 {
			f := fault.New(fault.Invalid, "invalid_request", "input '%s' is optional by the config, but model '%s' cannot run without it", name, r.Model)
			return nil, f.At("inputs."+name, f.Detail)
		}
		p.inputs[i] = r.Inputs[k]
		if io := p.config.Input(name); io.Reshape != nil {
			dims := p.inputs[i].Shape
			if p.batch > 0 {
				dims = dims[1:]
			}
			p.inputs[i].Shape = p.full(dims, io.Dims, io.Reshape)
		}
	}
	for i := range graph.Outputs {
		p.shapes[i] = p.announce(p.config.Output(graph.Outputs[i].Name), graph.Outputs[i].Dims)
	}
	return p, nil
}

// full puts the batch dimension before the dims, reshaped where the config says so: the variable dimensions of a reshape are
// those of the dims, in order.
func (p *plan) full(dims, declared, reshape []int64) []int64 {
	out := make([]int64, 0, 1+max(len(dims), len(reshape)))
	if p.batch > 0 {
		out = append(out, p.batch)
	}
	if reshape == nil {
		return append(out, dims...)
	}
	var variable []int64
	for i, d := range declared {
		if d == -1 && i < len(dims) {
			variable = append(variable, dims[i])
		}
	}
	for _, d := range reshape {
		if d == -1 && len(variable) > 0 {
			d, variable = variable[0], variable[1:]
		}
		out = append(out, d)
	}
	return out
}

// announce gives an output's shape as the model will write it, if config and model agree on it before the run; nil otherwise.
func (p *plan) announce(io *modelconfig.IO, own []int64) []int64 {
	if io == nil || slices.Contains(io.Dims, -1) {
		return nil
	}
	full := p.full(io.Dims, io.Dims, io.Reshape)
	if len(full) != len(own) {
		return nil
	}
	for i, d := range own { // only memory that the model itself asks for is set aside
		if d != full[i] && (i > 0 || p.batch == 0 || d != -1) {
			return nil
		}
	}
	return full
}

// answer checks the outputs against the config and gives those that were asked for, each once, in the order in which they were asked for.
// labels are the classes' names by output. Errors are fault.Contract.
func (p *plan) answer(outputs []tensor.Tensor, labels map[string][]string) ([]tensor.Tensor, error) {
	answer := make([]tensor.Tensor, 0, len(outputs))
	if len(p.request.Outputs) == 0 {
		for i := range outputs {
			if p.config.Output(outputs[i].Name) == nil {
				continue
			}
			t, err := p.output(outputs[i])
			if err != nil {
				return nil, err
			}
			answer = append(answer, t)
		}
		return answer, nil
	}
	for i, want := range p.request.Outputs {
		if slices.ContainsFunc(p.request.Outputs[:i], func(o backend.Output) bool { return o.Name == want.Name }) {
			continue
		}
		k := slices.IndexFunc(outputs, func(t tensor.Tensor) bool { return t.Name == want.Name })
		if k < 0 {
			return nil, contract(p.request, "there is no output '%s'", want.Name)
		}
		t, err := p.output(outputs[k])
		if err != nil {
			return nil, err
		}
		if want.Classes > 0 {
			t = classes(t, p.batch, want.Classes, labels[t.Name])
		}
		answer = append(answer, t)
	}
	return answer, nil
}

// output checks one output against the config and gives it the shape that callers see.
func (p *plan) output(t tensor.Tensor) (tensor.Tensor, error) {
	io := p.config.Output(t.Name)
	declared, seen := io.Dims, t.Shape
	if io.Reshape != nil {
		declared = io.Reshape
	}
	if p.batch > 0 {
		if len(seen) == 0 || seen[0] != p.batch {
			return t, contract(p.request, "output '%s' has shape %s for a batch of %d", t.Name, backend.Shape(t.Shape), p.batch)
		}
		seen = seen[1:]
	}
	if !backend.Fits(seen, declared) {
		return t, contract(p.request, "output '%s' has shape %s, the config says %s", t.Name, backend.Shape(t.Shape), backend.Shape(declared))
	}
	if io.Reshape != nil {
		t.Shape = p.full(seen, io.Reshape, io.Dims)
	}
	return t, nil
}
