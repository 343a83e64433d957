package embedded

import (
	"fmt"
	"slices"
	"strings"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// plan is one request, checked against the config and put into the model's own order and shapes.
type plan struct {
	request *backend.Request
	config  *modelconfig.Config
	inputs  []tensor.Tensor
	shapes  [][]int64 // of the outputs, where they are known before the run
	batch   int64     // 0: the model has no batch dimension
}

// newPlan checks a request. Errors are fault.Invalid, in Triton's words.
func newPlan(run *loaded, r *backend.Request) (*plan, error) {
	p := &plan{request: r, config: run.config}
	given := make(map[string]tensor.Tensor, len(r.Inputs))
	for i := range r.Inputs {
		t := r.Inputs[i]
		if _, twice := given[t.Name]; twice {
			return nil, invalid(t.Name, "input '%s' already exists in request for model '%s'", t.Name, r.Model)
		}
		if err := p.input(&t); err != nil {
			return nil, err
		}
		given[t.Name] = t
	}
	for _, own := range run.session.Graph().Inputs {
		t, ok := given[own.Name]
		if !ok {
			return nil, p.missing(given)
		}
		p.inputs = append(p.inputs, t)
	}
	for _, want := range r.Outputs {
		if p.config.Output(want.Name) == nil {
			return nil, invalid(want.Name, "unexpected inference output '%s' for model '%s'", want.Name, r.Model)
		}
	}
	for _, own := range run.session.Graph().Outputs {
		p.shapes = append(p.shapes, p.announce(p.config.Output(own.Name), own.Dims))
	}
	return p, nil
}

// input checks one input and gives it the shape that the model sees.
func (p *plan) input(t *tensor.Tensor) error {
	io := p.config.Input(t.Name)
	if io == nil {
		return invalid(t.Name, "unexpected inference input '%s' for model '%s'", t.Name, p.config.Name)
	}
	if t.DType != io.DType {
		return invalid(t.Name, "inference input '%s' data-type is '%s', but model '%s' expects '%s'", t.Name, t.DType, p.config.Name, io.DType)
	}
	dims := t.Shape
	if p.config.MaxBatchSize > 0 {
		if len(dims) == 0 {
			return invalid(t.Name, "input '%s' has no shape but model requires batch dimension for '%s'", t.Name, p.config.Name)
		}
		if err := p.setBatch(t.Name, dims[0]); err != nil {
			return err
		}
		dims = dims[1:]
	}
	if !matches(dims, io.Dims) {
		want, note := io.Dims, ""
		if p.config.MaxBatchSize > 0 {
			want = append([]int64{-1}, want...)
			note = ". NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape"
		}
		return invalid(t.Name, "unexpected shape for input '%s' for model '%s'. Expected %s, got %s%s", t.Name, p.config.Name, shape(want), shape(t.Shape), note)
	}
	if err := t.Validate(); err != nil {
		return invalid(t.Name, "input byte size mismatch for input '%s' for model '%s': %v", t.Name, p.config.Name, err)
	}
	t.Shape = p.full(dims, io.Dims, io.Reshape)
	return nil
}

func (p *plan) setBatch(name string, batch int64) error {
	switch {
	case batch < 1:
		return invalid(name, "input '%s' has batch size %d; inference request batch-size must be >= 1 for '%s'", name, batch, p.config.Name)
	case batch > int64(p.config.MaxBatchSize):
		return invalid(name, "inference request batch-size must be <= %d for '%s'", p.config.MaxBatchSize, p.config.Name)
	case p.batch != 0 && p.batch != batch:
		return invalid(name, "input '%s' batch size does not match other inputs for '%s'", name, p.config.Name)
	}
	p.batch = batch
	return nil
}

func (p *plan) missing(given map[string]tensor.Tensor) error {
	var required, lacking, got []string
	for i := range p.config.Inputs {
		name := p.config.Inputs[i].Name
		required = append(required, name)
		if _, ok := given[name]; ok {
			got = append(got, name)
		} else {
			lacking = append(lacking, name)
		}
	}
	return invalid(lacking[0], "expected %d inputs but got %d inputs for model '%s'. Got input(s) %s, but missing required input(s) %s. Please provide all required input(s).",
		len(required), len(given), p.config.Name, quoted(got), quoted(lacking))
}

// full puts the batch dimension before the dims, reshaped where the config says so: the variable dimensions of a reshape are
// those of the dims, in order.
func (p *plan) full(dims, declared, reshape []int64) []int64 {
	var out []int64
	if p.config.MaxBatchSize > 0 {
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

// answer checks the outputs against the config and gives those that were asked for. Errors are fault.Contract.
func (p *plan) answer(outputs []tensor.Tensor) ([]tensor.Tensor, error) {
	var answer []tensor.Tensor
	for _, t := range outputs {
		io := p.config.Output(t.Name)
		if io == nil || len(p.request.Outputs) > 0 && !slices.ContainsFunc(p.request.Outputs, func(o backend.Output) bool { return o.Name == t.Name }) {
			continue
		}
		declared, seen := io.Dims, t.Shape
		if io.Reshape != nil {
			declared = io.Reshape
		}
		if p.batch > 0 {
			if len(seen) == 0 || seen[0] != p.batch {
				return nil, contract(p.request, "output '%s' has shape %s for a batch of %d", t.Name, shape(t.Shape), p.batch)
			}
			seen = seen[1:]
		}
		if !matches(seen, declared) {
			return nil, contract(p.request, "output '%s' has shape %s, the config says %s", t.Name, shape(t.Shape), shape(declared))
		}
		if io.Reshape != nil {
			t.Shape = p.full(seen, io.Reshape, io.Dims)
		}
		answer = append(answer, t)
	}
	return answer, nil
}

// matches reports whether a shape fits dims, of which -1 varies.
func matches(shape, dims []int64) bool {
	if len(shape) != len(dims) {
		return false
	}
	for i, d := range dims {
		if shape[i] != d && (d != -1 || shape[i] < 0) {
			return false
		}
	}
	return true
}

func invalid(tensorName, format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, "invalid_request", format, args...)
	return f.At("inputs."+tensorName, f.Detail)
}

// shape and quoted write lists as Triton does: [-1,4] and ['a','b'].
func shape(dims []int64) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", ",") }

func quoted(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "','") + "']"
}
