package kserve

import (
	"triton-gateway/gateway/backend"
	"triton-gateway/tensor"
)

// checkInputs refuses what is wrong with inputs whatever the model: two of one name. What the model's config says of them is backend.Check's.
func checkInputs(r *backend.Request) error {
	for i := range r.Inputs {
		for j := range i {
			if r.Inputs[i].Name == r.Inputs[j].Name {
				return invalid("inputs."+clip(r.Inputs[i].Name), "input '%s' already exists in request", clip(r.Inputs[i].Name))
			}
		}
	}
	return nil
}

// elements counts the elements of an input, before its bytes are looked at.
func elements(t *tensor.Tensor, model string) (int64, error) {
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return 0, invalid("inputs."+clip(t.Name)+".shape", "input '%s' for model '%s': %v", clip(t.Name), clip(model), err)
	}
	return n, nil
}

func unknownType(input, model, dtype string) error {
	return invalid("inputs."+clip(input)+".datatype", "inference input '%s' for model '%s' has the unknown data-type '%s'", clip(input), clip(model), clip(dtype))
}

func noData(input, model string) error {
	return invalid("inputs."+clip(input), "unable to find data for input tensor '%s' for model '%s' in request.", clip(input), clip(model))
}
