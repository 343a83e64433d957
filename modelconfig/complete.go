package modelconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Complete fills in what config.pbtxt leaves out from what the model's file says of itself. inputs and outputs are the model's
// own, with their full shapes: the batch dimension included, -1 for a dimension that varies.
//
// The rules are those of Triton's ONNX Runtime backend: where inputs and outputs are both given, nothing is filled in.
// Otherwise a model whose every tensor has a variable first dimension can be batched, and max_batch_size, if it is 0,
// becomes defaultMaxBatch (Triton's own default is 4; 0 leaves the model unbatched). A config that asks for batches of a
// model that has a fixed first dimension is refused, and so is one that names an input or output that the model lacks, or
// gives it another datatype or shape.
//
// What Triton's core adds by itself is added too: platform, backend, file name, the version policy, the instances. That does not change
// the digest.
func (c *Config) Complete(inputs, outputs []IO, defaultMaxBatch int) error {
	batchable := canBatch(inputs) && canBatch(outputs)
	fill := len(c.Inputs) == 0 || len(c.Outputs) == 0
	if fill && batchable && c.MaxBatchSize == 0 && fits(c.Inputs, inputs, 1) && fits(c.Outputs, outputs, 1) {
		c.MaxBatchSize = max(defaultMaxBatch, 0)
	}
	var list []error
	if c.MaxBatchSize > 0 && !batchable {
		list = append(list, fmt.Errorf("max_batch_size is %d, but the model has a tensor whose first dimension does not vary; set max_batch_size: 0", c.MaxBatchSize))
	}
	batch := c.MaxBatchSize > 0
	if len(c.Inputs) == 0 {
		c.Inputs = strip(inputs, batch)
	}
	if len(c.Outputs) == 0 {
		c.Outputs = strip(outputs, batch)
	}
	list = append(list, compare("input", c.Inputs, inputs, batch)...)
	list = append(list, compare("output", c.Outputs, outputs, batch)...)
	list = append(list, ioFaults("input", c.Inputs, batch)...)
	list = append(list, ioFaults("output", c.Outputs, batch)...)
	if err := errors.Join(list...); err != nil {
		return fmt.Errorf("config of model %q does not fit the model: %w", c.Name, err)
	}
	if fill {
		c.Digest = completed(c)
	}
	c.normalize()
	return nil
}

func canBatch(list []IO) bool {
	return !slices.ContainsFunc(list, func(io IO) bool { return len(io.Dims) == 0 || io.Dims[0] != -1 })
}

// fits reports whether every tensor that the config gives has the model's rank less lead dimensions.
func fits(given, model []IO, lead int) bool {
	for i := range given {
		if own := find(model, given[i].Name); own != nil && len(given[i].shape()) != len(own.Dims)-lead {
			return false
		}
	}
	return true
}

// strip copies the model's tensors without their batch dimension. A tensor that has nothing else gets dims [1] and an empty
// reshape, as Triton writes it.
func strip(model []IO, batch bool) []IO {
	out := make([]IO, 0, len(model))
	for _, io := range model {
		io.Dims = slices.Clone(io.Dims)
		if batch && len(io.Dims) > 0 {
			io.Dims = io.Dims[1:]
		}
		if len(io.Dims) == 0 && batch {
			io.Dims, io.Reshape = []int64{1}, []int64{}
		}
		out = append(out, io)
	}
	return out
}

// shape is what the model itself sees, without the batch dimension.
func (io *IO) shape() []int64 {
	if io.Reshape != nil {
		return io.Reshape
	}
	return io.Dims
}

// compare tells where the config and the model disagree. A required input of the model must be in the config.
func compare(kind string, given, model []IO, batch bool) []error {
	var out []error
	for i := range given {
		g := &given[i]
		own := find(model, g.Name)
		if own == nil {
			out = append(out, fmt.Errorf("%s %q: the model has no such %s; it has %s", kind, g.Name, kind, names(model)))
			continue
		}
		if g.DType != own.DType {
			out = append(out, fmt.Errorf("%s %q: data_type is %s, the model has %s", kind, g.Name, g.DType, own.DType))
		}
		full := g.shape()
		if batch {
			full = append([]int64{-1}, full...)
		}
		if !agree(full, own.Dims) {
			out = append(out, fmt.Errorf("%s %q: the full shape is %v, the model has %v", kind, g.Name, full, own.Dims))
		}
	}
	for i := range model {
		if kind == "input" && !model[i].Optional && find(given, model[i].Name) == nil {
			out = append(out, fmt.Errorf("input %q of the model is not in the config", model[i].Name))
		}
	}
	return out
}

// agree reports whether two shapes can be the same one: equal rank, and equal dimensions where both are fixed.
func agree(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i] != -1 && b[i] != -1 {
			return false
		}
	}
	return true
}

func names(list []IO) string {
	if len(list) == 0 {
		return "none"
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = fmt.Sprintf("%q", list[i].Name)
	}
	return strings.Join(out, ", ")
}
