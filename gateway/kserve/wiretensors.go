package kserve

import (
	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
)

// take makes the request that the message asks for. Its tensors are slices of the message's memory. Errors: Invalid, naming the input.
func (m *inferMessage) take() (*backend.Request, error) {
	if m.err != nil {
		return nil, m.err
	}
	if err := checkParams(m.params); err != nil {
		return nil, err
	}
	r := &m.request.Request
	*r = backend.Request{Model: m.model, Version: m.version, ID: m.id, Outputs: m.outputs, Params: m.params, Memory: m.memory}
	r.Inputs = m.request.tensors[:0]
	if len(m.raw) > 0 && len(m.raw) != len(m.inputs) {
		return nil, m.rawCount()
	}
	for i := range m.inputs {
		t, err := m.tensor(i)
		if err != nil {
			return nil, err
		}
		r.Inputs = append(r.Inputs, t)
	}
	return r, checkInputs(r)
}

func (m *inferMessage) tensor(i int) (t tensor.Tensor, err error) {
	in := &m.inputs[i]
	t = tensor.Tensor{Name: in.name, DType: in.dtype, Shape: m.dims[in.first:in.last:in.last]}
	if in.dtype == tensor.Invalid {
		return t, unknownType(in.name, m.model, in.unknown)
	}
	elements, err := elements(&t, m.model)
	switch {
	case err != nil:
		return t, err
	case in.contents != nil && len(m.raw) > 0:
		return t, invalid("inputs."+clip(in.name)+".contents", "contents field must not be specified when using raw_input_contents for '%s' for model '%s'", clip(in.name), clip(m.model))
	case in.contents != nil:
		t.Data, err = typed(m.model, in.name, in.dtype, in.contents)
		return t, err
	case len(m.raw) > 0:
		t.Data = m.raw[i]
		return t, nil
	case elements > 0:
		return t, noData(in.name, m.model)
	}
	t.Data = []byte{}
	return t, nil
}

func (m *inferMessage) rawCount() error {
	if len(m.raw) < len(m.inputs) {
		for i := range m.inputs {
			if m.inputs[i].contents != nil {
				name := clip(m.inputs[i].name)
				return invalid("inputs."+name+".contents", "contents field must not be specified when using raw_input_contents for '%s' for model '%s'", name, clip(m.model))
			}
		}
		return noData(m.inputs[len(m.raw)].name, m.model)
	}
	return invalid("raw_input_contents", "the request has %d raw_input_contents for %d inputs for model '%s'", len(m.raw), len(m.inputs), clip(m.model))
}
