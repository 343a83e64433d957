package triton

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// maxLabels bounds what Labels asks for: more classes than any label file in use has.
const maxLabels = 100_000

// Labels reads the n labels of a remote model's output, by index, through the classification extension: Triton knows them from label_filename and
// shows them only there. It runs the model once, with zeros for what the config leaves open. Classes without a label give "". The error is NotFound where no class has one.
func (c *Client) Labels(ctx context.Context, model, output string, n int) ([]string, error) {
	if n < 1 || n > maxLabels {
		return nil, fault.New(fault.Invalid, "invalid_request", "%d labels: between 1 and %d can be read", n, maxLabels)
	}
	config, err := c.Config(ctx, model)
	if err != nil {
		return nil, err
	}
	// The version is named where it is known: a call without one is noted for its version only when it is answered, and until then, or
	// if it never is, it looks like a stranger's.
	request := &inferRequest{model: model, version: c.newest(model), outputs: []wantedOutput{{name: output, classes: int64(n)}}}
	for i := range config.Inputs {
		in := &config.Inputs[i]
		if in.Optional {
			continue
		}
		t, err := zeros(in.Name, in.DType, in.Dims, config.MaxBatchSize > 0)
		if err != nil {
			return nil, fault.New(fault.Unsupported, "unsupported_model", "labels of %q: %v", model, err)
		}
		request.inputs = append(request.inputs, t)
	}
	var wire inferResponse
	if err := c.infer(ctx, request, &wire); err != nil {
		return nil, err
	}
	answer, err := checked(request, &wire)
	if err != nil {
		return nil, err
	}
	return labelsOf(answer, model, output, n)
}

// newest gives the highest version of a model that the last looks have seen ready on an endpoint; "" where there was none.
func (c *Client) newest(model string) (version string) {
	for _, e := range c.list() {
		seen := e.seen.Load()
		if seen == nil {
			continue
		}
		for id := range *seen {
			higher := len(id.version) > len(version) || len(id.version) == len(version) && id.version > version
			if id.model == model && higher {
				version = id.version
			}
		}
	}
	return version
}

// zeros makes a tensor of zeros; an open dimension becomes 1.
func zeros(name string, d tensor.DType, dims []int64, batched bool) (tensor.Tensor, error) {
	t := tensor.Tensor{Name: name, DType: d}
	if batched {
		t.Shape = append(t.Shape, 1)
	}
	for _, dim := range dims {
		t.Shape = append(t.Shape, max(dim, 1))
	}
	size := int64(d.Size())
	if d == tensor.Bytes {
		size = 4 // an empty text is its length alone
	}
	const most = 256 << 20
	elements, err := tensor.Elements(t.Shape)
	if err != nil {
		return t, err
	}
	if size == 0 || elements > most/size {
		return t, fmt.Errorf("input %q: %s %v cannot be filled with zeros", name, d, t.Shape)
	}
	t.Data = make([]byte, elements*size)
	return t, nil
}

// labelsOf reads BYTES elements of the form value:index[:label]; a label may hold colons.
func labelsOf(answer *backend.Response, model, output string, n int) ([]string, error) {
	labels, found := make([]string, n), false
	for i := range answer.Outputs {
		t := &answer.Outputs[i]
		if t.Name != output || t.DType != tensor.Bytes {
			continue
		}
		for rest := t.Data; len(rest) > 0; { // checked has validated the lengths
			size := binary.LittleEndian.Uint32(rest)
			element := string(rest[4 : 4+size])
			rest = rest[4+size:]
			parts := strings.SplitN(element, ":", 3)
			if len(parts) < 3 {
				continue
			}
			index, err := strconv.Atoi(parts[1])
			if err != nil || index < 0 || index >= n {
				return nil, fault.New(fault.Contract, "upstream_contract", "model %q: %q is not a class of output %q", model, element, output)
			}
			labels[index], found = parts[2], true
		}
	}
	if !found {
		return nil, fault.New(fault.NotFound, "labels_not_found", "model %q has no labels for output %q; add label_filename or a labels list", model, output)
	}
	return labels, nil
}
