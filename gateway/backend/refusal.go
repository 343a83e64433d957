package backend

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// refuse makes an error in the words that Triton has for faults of a request, which begin with the request's id.
func refuse(r *Request, place, name, format string, args ...any) *fault.Error {
	id := r.ID
	if id == "" {
		id = "<id_unknown>"
	}
	return invalid(place, name, "[request id: %s] %s", id, fmt.Sprintf(format, args...))
}

// invalid makes an error in the words of Triton's model, which don't.
func invalid(place, name, format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, "invalid_request", format, args...)
	if name != "" {
		place += "." + name
	}
	return f.At(place, f.Detail)
}

// twice finds an input that is there twice. A few are compared with each other, because that costs no memory.
func twice(r *Request) error {
	const few = 32
	var seen map[string]bool
	if len(r.Inputs) > few {
		seen = make(map[string]bool, len(r.Inputs))
	}
	for i := range r.Inputs {
		name := r.Inputs[i].Name
		again := seen[name]
		for k := 0; k < i && seen == nil; k++ {
			again = again || r.Inputs[k].Name == name
		}
		if again {
			return refuse(r, "inputs", name, "input '%s' already exists in request", name)
		}
		if seen != nil {
			seen[name] = true
		}
	}
	return nil
}

// unexpected names the first input that the model does not have.
func unexpected(c *modelconfig.Config, r *Request) error {
	for i := range r.Inputs {
		if name := r.Inputs[i].Name; c.Input(name) == nil {
			return invalid("inputs", name, "unexpected inference input '%s' for model '%s'", name, c.Name)
		}
	}
	return nil
}

// wrongNumber is for too many inputs, or too few.
func wrongNumber(c *modelconfig.Config, r *Request, required int) error {
	const most = 32 // names in the text
	var lacking, got []string
	for i := range c.Inputs {
		if name := c.Inputs[i].Name; !c.Inputs[i].Optional && !has(r, i, name) {
			lacking = append(lacking, name)
		}
	}
	for i := range r.Inputs[:min(most, len(r.Inputs))] {
		got = append(got, r.Inputs[i].Name)
	}
	place := ""
	if len(lacking) > 0 {
		place = lacking[0]
	}
	expected := fmt.Sprintf("%d inputs", required)
	format := "expected %s but got %d inputs for model '%s'. Got input(s) %s, but missing required input(s) %s. Please provide all required input(s)."
	if required < len(c.Inputs) {
		expected = fmt.Sprintf("number of inputs between %d and %d", required, len(c.Inputs))
	}
	return refuse(r, "inputs", place, format, expected, len(r.Inputs), c.Name, quoted(got), quoted(lacking))
}

// wrongShape tells the shape that is expected. dims is the input's shape without the batch.
func wrongShape(c *modelconfig.Config, r *Request, t *tensor.Tensor, io *modelconfig.IO, dims []int64) error {
	if len(dims) == len(io.Dims) && slices.Contains(dims, -1) {
		return refuse(r, "inputs", t.Name, "All input dimensions should be specified for input '%s' for model '%s', got %s", t.Name, c.Name, Shape(t.Shape))
	}
	want, note := io.Dims, ""
	if c.MaxBatchSize > 0 {
		want = append([]int64{-1}, want...)
		note = "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input shape. " +
			"If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. " +
			"See the model configuration docs for more info on max_batch_size."
	}
	return refuse(r, "inputs", t.Name, "unexpected shape for input '%s' for model '%s'. Expected %s, got %s. %s", t.Name, c.Name, Shape(want), Shape(t.Shape), note)
}

// wrongBytes is for bytes that are not as many as the shape says.
func wrongBytes(c *modelconfig.Config, r *Request, t *tensor.Tensor) error {
	n, err := tensor.Elements(t.Shape)
	switch {
	case err != nil:
		return refuse(r, "inputs", t.Name, "input byte size mismatch for input '%s' for model '%s'. %v", t.Name, c.Name, err)
	case t.DType == tensor.Bytes:
		return wrongElements(c, r, t, n)
	case n > (1<<63-1)/int64(max(1, t.DType.Size())):
		return refuse(r, "inputs", t.Name, "input byte size mismatch for input '%s' for model '%s'. The shape %s has too many bytes", t.Name, c.Name, Shape(t.Shape))
	}
	return refuse(r, "inputs", t.Name, "input byte size mismatch for input '%s' for model '%s'. Expected %d, got %d", t.Name, c.Name, n*int64(t.DType.Size()), len(t.Data))
}

// wrongElements finds out what is wrong with n elements of BYTES.
func wrongElements(c *modelconfig.Config, r *Request, t *tensor.Tensor, n int64) error {
	got := int64(0)
	for rest := t.Data; len(rest) > 0; {
		if len(rest) < 4 {
			return refuse(r, "inputs", t.Name, "incomplete string length indicator for inference input '%s' for model '%s', expecting 4 bytes but only %d bytes available. "+
				"Please make sure the string length indicator is in one buffer.", t.Name, c.Name, len(rest))
		}
		got++
		if got > n {
			return refuse(r, "inputs", t.Name, "unexpected number of string elements %d for inference input '%s' for model '%s', expecting %d", got, t.Name, c.Name, n)
		}
		size := uint64(binary.LittleEndian.Uint32(rest))
		if rest = rest[4:]; size > uint64(len(rest)) {
			return refuse(r, "inputs", t.Name, "string element %d of inference input '%s' for model '%s' claims %d bytes, %d are left", got-1, t.Name, c.Name, size, len(rest))
		}
		rest = rest[size:]
	}
	return refuse(r, "inputs", t.Name, "expected %d string elements for inference input '%s' for model '%s', got %d", n, t.Name, c.Name, got)
}

// Shape writes a shape as Triton does: [-1,4].
func Shape(dims []int64) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", ",") }

func quoted(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "','") + "']"
}
