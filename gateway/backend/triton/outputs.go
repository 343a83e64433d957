package triton

import (
	"fmt"
	"slices"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

const (
	maxOutputs = 256 // more outputs than any model has
	maxDims    = 32
)

// checked turns an answer into tensors. The server is not trusted: model, version, names, datatypes, shapes and
// byte counts must fit together and fit what was asked.
func checked(asked *inferRequest, a *inferResponse) (*backend.Response, error) {
	out, err := tensorsOf(asked, a)
	if err != nil {
		return nil, err
	}
	for _, want := range asked.outputs {
		if !slices.ContainsFunc(out.Outputs, func(t tensor.Tensor) bool { return t.Name == want.name }) {
			return nil, contract(asked, "output %q is missing", want.name)
		}
	}
	return out, nil
}

// tensorsOf is checked for one response of a stream, which need not have all outputs.
func tensorsOf(asked *inferRequest, a *inferResponse) (*backend.Response, error) {
	if a.model != "" && a.model != asked.model {
		return nil, contract(asked, "the answer is model %q's", a.model)
	}
	if asked.version != "" && a.version != "" && a.version != asked.version {
		return nil, contract(asked, "version %q answered instead of %q", a.version, asked.version)
	}
	if len(a.outputs) > maxOutputs {
		return nil, contract(asked, "%d outputs; at most %d are read", len(a.outputs), maxOutputs)
	}
	version := a.version
	if version == "" { // optional in the protocol; Triton always gives it
		version = asked.version
	}
	out := &backend.Response{Version: version, Params: a.params, Outputs: make([]tensor.Tensor, 0, len(a.outputs))}
	used := 0
	for i := range a.outputs {
		o := &a.outputs[i]
		if slices.ContainsFunc(out.Outputs, func(t tensor.Tensor) bool { return t.Name == o.name }) {
			return nil, contract(asked, "output %q comes twice", o.name)
		}
		var raw []byte
		switch {
		case o.contents != nil && len(a.raw) > 0:
			return nil, contract(asked, "output %q has typed contents beside raw ones", o.name)
		case o.contents == nil && used < len(a.raw):
			raw = a.raw[used]
			used++
		case o.contents == nil && len(a.raw) > 0:
			return nil, contract(asked, "%d raw contents for %d outputs", len(a.raw), len(a.outputs))
		}
		t, err := o.tensor(raw)
		if err != nil {
			return nil, contract(asked, "%v", err)
		}
		out.Outputs = append(out.Outputs, t)
	}
	if used != len(a.raw) {
		return nil, contract(asked, "%d raw contents for %d outputs", len(a.raw), len(a.outputs))
	}
	return out, nil
}

// tensor makes a tensor of an output: from raw bytes, or from typed contents where the server sends those.
func (o *wireOutput) tensor(raw []byte) (tensor.Tensor, error) {
	dtype, ok := tensor.ParseDType(o.dtype)
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("output %q: unknown datatype %q", o.name, o.dtype)
	}
	if len(o.shape) > maxDims {
		return tensor.Tensor{}, fmt.Errorf("output %q: %d dimensions; at most %d are read", o.name, len(o.shape), maxDims)
	}
	if o.contents != nil {
		data, err := typedContents(dtype, o.contents)
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("output %q: %w", o.name, err)
		}
		raw = data
	}
	t := tensor.Tensor{Name: o.name, DType: dtype, Shape: o.shape, Data: raw}
	return t, t.Validate()
}

func contract(asked *inferRequest, format string, args ...any) error {
	return fault.New(fault.Contract, "upstream_contract", "model %q answered against its contract: %s", asked.model, fmt.Sprintf(format, args...))
}
