package backend

import (
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// maxOutputs is how many outputs a request may ask for, where the model itself does not have more.
const maxOutputs = 256

// Check refuses, in Triton's words, what the model's config says it would refuse, so that nothing bad is forwarded. It does not allocate when
// it succeeds. The error is Invalid invalid_request, and its Fields name the input or output.
//
// The rules and their order are those of InferenceRequest::Normalize in triton-inference-server/core (src/infer_request.cc, 2.51). Beyond
// them it refuses what Triton takes and then fails on, or reads wrongly: a batch of 0 or less, a required input left out where
// optional ones make up the number, a BYTES element that ends before its length, sizes that overflow, and classes of a BYTES output, which
// end a Triton 2.51: it divides by the size of an element.
func Check(c *modelconfig.Config, r *Request) error {
	if c == nil {
		return checkBytes(r)
	}
	if err := checkNames(c, r); err != nil {
		return err
	}
	if err := checkBatch(c, r); err != nil {
		return err
	}
	for i := range r.Inputs {
		if err := checkInput(c, r, &r.Inputs[i], input(c, r, i)); err != nil {
			return err
		}
	}
	return nil
}

// input is what the config says of the request's i-th input; nil if it knows none. Inputs mostly come in the config's order.
func input(c *modelconfig.Config, r *Request, i int) *modelconfig.IO {
	if i < len(c.Inputs) && c.Inputs[i].Name == r.Inputs[i].Name {
		return &c.Inputs[i]
	}
	return c.Input(r.Inputs[i].Name)
}

// checkNames makes sure that every input of the request is one of the model's and there once, that the required ones are all there, and that
// the outputs exist.
func checkNames(c *modelconfig.Config, r *Request) error {
	required, missing := 0, false
	for i := range c.Inputs {
		if c.Inputs[i].Optional {
			continue
		}
		required++
		missing = missing || !has(r, i, c.Inputs[i].Name)
	}
	known := len(r.Inputs) <= len(c.Inputs)
	for i := 0; known && i < len(r.Inputs); i++ {
		known = input(c, r, i) != nil
	}
	// As many known names as inputs, none missing: only where some are optional can one be there twice.
	if !known || missing || required < len(c.Inputs) {
		if err := twice(r); err != nil {
			return err
		}
	}
	if err := checkOutputs(c, r); err != nil {
		return err
	}
	switch {
	case len(r.Inputs) > len(c.Inputs) || len(r.Inputs) < required:
		return wrongNumber(c, r, required)
	case !known:
		return unexpected(c, r)
	case missing:
		return wrongNumber(c, r, required)
	}
	return nil
}

// has reports whether the request has an input of that name, probably the i-th.
func has(r *Request, i int, name string) bool {
	if i < len(r.Inputs) && r.Inputs[i].Name == name {
		return true
	}
	for k := range r.Inputs {
		if r.Inputs[k].Name == name {
			return true
		}
	}
	return false
}

func checkOutputs(c *modelconfig.Config, r *Request) error {
	if n := len(r.Outputs); n > max(maxOutputs, len(c.Outputs)) {
		return refuse(r, "outputs", "", "%d outputs are asked for; at most %d can be", n, max(maxOutputs, len(c.Outputs)))
	}
	for i := range r.Outputs {
		name, classes := r.Outputs[i].Name, r.Outputs[i].Classes
		io := c.Output(name)
		if io == nil {
			return invalid("outputs", name, "unexpected inference output '%s' for model '%s'", name, c.Name)
		}
		if classes < 0 {
			return invalid("outputs", name, "invalid value for 'classification' parameter, expected >= 0")
		}
		if classes > 0 && !Ranks(io.DType) {
			return invalid("outputs", name, "class result not available for output due to unsupported type '%s'", io.DType)
		}
	}
	return nil
}

// Ranks reports whether Triton makes classes of outputs of that datatype.
func Ranks(d tensor.DType) bool {
	switch d {
	case tensor.Bool, tensor.FP16, tensor.BF16, tensor.Bytes, tensor.Invalid:
		return false
	}
	return true
}

// Batch is the size of the request's batch: 0 where the model has no batch dimension. The request has passed Check.
func Batch(c *modelconfig.Config, r *Request) int64 {
	if c.MaxBatchSize == 0 {
		return 0
	}
	for i := range r.Inputs {
		if io := input(c, r, i); io != nil && !io.ShapeTensor && len(r.Inputs[i].Shape) > 0 {
			return r.Inputs[i].Shape[0]
		}
	}
	return 0
}

// checkBatch makes sure that the inputs agree on a batch that the model takes.
func checkBatch(c *modelconfig.Config, r *Request) error {
	if c.MaxBatchSize == 0 {
		return nil
	}
	batch := int64(0)
	for i := range r.Inputs {
		t := &r.Inputs[i]
		if input(c, r, i).ShapeTensor {
			continue
		}
		switch {
		case len(t.Shape) == 0:
			return refuse(r, "inputs", t.Name, "input '%s' has no shape but model requires batch dimension for '%s'", t.Name, c.Name)
		case t.Shape[0] < 1:
			return refuse(r, "inputs", t.Name, "input '%s' has batch size %d; inference request batch-size must be >= 1 for '%s'", t.Name, t.Shape[0], c.Name)
		case batch == 0:
			batch = t.Shape[0]
		case batch != t.Shape[0]:
			return refuse(r, "inputs", t.Name, "input '%s' batch size does not match other inputs for '%s'", t.Name, c.Name)
		}
	}
	if batch > int64(c.MaxBatchSize) {
		return refuse(r, "inputs", r.Inputs[0].Name, "inference request batch-size must be <= %d for '%s'", c.MaxBatchSize, c.Name)
	}
	return nil
}

// checkInput makes sure that datatype, shape and bytes of an input are what the config says.
func checkInput(c *modelconfig.Config, r *Request, t *tensor.Tensor, io *modelconfig.IO) error {
	if t.DType != io.DType {
		return refuse(r, "inputs", t.Name, "inference input '%s' data-type is '%s', but model '%s' expects '%s'", t.Name, t.DType, c.Name, io.DType)
	}
	dims := t.Shape
	if c.MaxBatchSize > 0 && !io.ShapeTensor {
		dims = dims[1:]
	}
	if !Fits(dims, io.Dims) {
		return wrongShape(c, r, t, io, dims)
	}
	if io.NonLinear {
		if _, err := tensor.Elements(t.Shape); err != nil {
			return wrongBytes(c, r, t)
		}
		return nil
	}
	if t.Validate() != nil {
		return wrongBytes(c, r, t)
	}
	return nil
}

// Fits reports whether a shape is one that dims allow: -1 varies.
func Fits(shape, dims []int64) bool {
	if len(shape) != len(dims) {
		return false
	}
	for i, d := range dims {
		if shape[i] != d && d != -1 || shape[i] < 0 {
			return false
		}
	}
	return true
}

// checkBytes is what can be checked without a config.
func checkBytes(r *Request) error {
	for i := range r.Inputs {
		if err := r.Inputs[i].Validate(); err != nil {
			return refuse(r, "inputs", r.Inputs[i].Name, "%v", err)
		}
	}
	return nil
}
