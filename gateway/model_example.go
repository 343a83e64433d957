package gateway

import (
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// maxExample bounds the elements of all tensors of an example, so that it still fits into a command line.
const maxExample = 4096

// exampleInput is one tensor of a KServe v2 body.
type exampleInput struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
	Data     []any   `json:"data,omitempty"`
}

// exampleInputs makes zeros for every input that the model needs: a batch of one, with 1 where a dimension is variable. whole is false
// where the data is left out.
func exampleInputs(config *modelconfig.Config) (inputs []exampleInput, whole bool) {
	whole = true
	total := int64(0)
	inputs = []exampleInput{}
	for _, in := range config.Inputs {
		if in.Optional {
			continue
		}
		shape := []int64{}
		if config.MaxBatchSize > 0 {
			shape = append(shape, 1)
		}
		for _, d := range in.Dims {
			shape = append(shape, max(d, 1)) // -1 is variable
		}
		e := exampleInput{Name: in.Name, Datatype: in.DType.String(), Shape: shape}
		n, err := tensor.Elements(shape)
		zero := zeroOf(in.DType)
		if err != nil || n > maxExample-total || zero == nil {
			whole = false
		} else {
			total += n
			e.Data = make([]any, n)
			for i := range e.Data {
				e.Data[i] = zero
			}
		}
		inputs = append(inputs, e)
	}
	return inputs, whole
}

// zeroOf is the zero of a datatype in JSON, nil where JSON cannot carry it.
func zeroOf(d tensor.DType) any {
	switch d {
	case tensor.Invalid, tensor.FP16, tensor.BF16:
		return nil
	case tensor.Bool:
		return false
	case tensor.Bytes:
		return ""
	}
	return 0
}
