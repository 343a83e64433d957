package modelconfig

import (
	"fmt"
	"math"
	"slices"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// maxDims bounds the rank of a tensor; no real model comes near.
const maxDims = 32

// faults checks what the gateway relies on, by the rules of Triton's ValidateModelConfig.
func faults(c *Config, pb *tritonpb.ModelConfig) []error {
	var list []error
	add := func(format string, args ...any) { list = append(list, fmt.Errorf(format, args...)) }
	if c.Name == "" {
		add("name is missing")
	}
	if c.MaxBatchSize < 0 {
		add("max_batch_size is %d; it must be 0 (the model has no batch dimension) or more", c.MaxBatchSize)
	}
	if v := pb.GetVersionPolicy(); v != nil {
		if v.GetLatest() != nil && v.GetLatest().NumVersions == 0 {
			add("version_policy: latest has num_versions 0, so no version would be served")
		}
		if v.GetSpecific() != nil && len(v.GetSpecific().Versions) == 0 {
			add("version_policy: specific names no version")
		}
		for _, n := range v.GetSpecific().GetVersions() {
			if n < 0 {
				add("version_policy: specific names version %d; versions are 0 or more", n)
			}
		}
	}
	for _, group := range pb.InstanceGroup {
		if group.Count < 0 {
			add("instance_group: count is %d; it must be 1 or more", group.Count)
		}
	}
	list = append(list, ioFaults("input", c.Inputs, c.MaxBatchSize > 0)...)
	return append(list, ioFaults("output", c.Outputs, c.MaxBatchSize > 0)...)
}

// ioFaults checks the inputs or the outputs.
func ioFaults(kind string, list []IO, batch bool) []error {
	var out []error
	seen := make(map[string]bool, len(list))
	for i := range list {
		place := fmt.Sprintf("%s %q", kind, list[i].Name)
		if list[i].Name == "" {
			place = fmt.Sprintf("%s[%d]", kind, i)
			out = append(out, fmt.Errorf("%s: name is missing", place))
		} else if seen[list[i].Name] {
			out = append(out, fmt.Errorf("%s is there twice", place))
		}
		seen[list[i].Name] = true
		for _, text := range list[i].faults(batch) {
			out = append(out, fmt.Errorf("%s: %s", place, text))
		}
	}
	return out
}

func (io *IO) faults(batch bool) []string {
	var out []string
	if io.DType == tensor.Invalid {
		out = append(out, "data_type is missing or unknown")
	}
	if len(io.Dims) == 0 {
		out = append(out, "dims are missing")
	}
	if len(io.Dims) > maxDims || len(io.Reshape) > maxDims {
		return append(out, fmt.Sprintf("more than %d dims", maxDims))
	}
	for _, d := range append(slices.Clone(io.Dims), io.Reshape...) {
		if d < 1 && d != -1 {
			return append(out, fmt.Sprintf("dimension %d: it must be 1 or more, or -1 for one that varies", d))
		}
	}
	if io.Format != "" && len(io.Dims) != 3 {
		out = append(out, fmt.Sprintf("%s needs 3 dims, got %v", io.Format, io.Dims))
	}
	dims, err := chunks(io.Dims)
	if err != nil {
		return append(out, err.Error())
	}
	if io.Reshape == nil {
		return out
	}
	if len(io.Reshape) == 0 && !batch {
		out = append(out, "an empty reshape needs max_batch_size above 0")
	}
	if shape, err := chunks(io.Reshape); err != nil {
		out = append(out, "reshape: "+err.Error())
	} else if !slices.Equal(dims, shape) {
		out = append(out, fmt.Sprintf("dims %v and reshape %v have different numbers of elements", io.Dims, io.Reshape))
	}
	return out
}

// chunks gives the number of elements between the variable dimensions; two shapes fit each other where these are equal.
func chunks(shape []int64) ([]int64, error) {
	out, n := []int64{}, int64(1)
	for _, d := range shape {
		if d < 0 {
			out, n = append(out, n), 1
			continue
		}
		if n > math.MaxInt64/d {
			return nil, fmt.Errorf("dims %v have too many elements", shape)
		}
		n *= d
	}
	return append(out, n), nil
}
