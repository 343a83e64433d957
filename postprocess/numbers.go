package postprocess

import "math"

// regress reads one value or several: [N], [1, N] or with further dimensions of 1. NaN and Inf break the contract.
func (p *Postprocessor) regress(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	if err := vector(t); err != nil {
		return Result{}, err
	}
	values := make([]float64, elements(t))
	for i := range values {
		if values[i] = at(t, i); !finite(values[i]) {
			return Result{}, contract("output %q: value %d is %v", t.Name, i, values[i])
		}
	}
	if len(values) == 1 {
		return Result{Value: &values[0]}, nil
	}
	return Result{Values: values}, nil
}

// embed reads a vector, or a list of token vectors that is pooled: cls takes the first, mean the average in float64. With
// pool none all elements are given out in order. With normalize the vector is divided by its Euclidean length, computed in
// float64; the zero vector stays as it is. NaN and Inf break the contract.
func (p *Postprocessor) embed(in input) (Result, error) {
	t, err := find(in.outputs, p.spec.Output.Name)
	if err != nil {
		return Result{}, err
	}
	rows, columns := 1, elements(t)
	switch p.spec.Output.Pool {
	case "cls", "mean":
		if rows, columns, err = matrix(t); err != nil {
			return Result{}, err
		}
	default:
		if len(t.Shape) > 1 && t.Shape[0] != 1 {
			if err := vector(t); err != nil {
				return Result{}, err
			}
		}
	}
	if p.spec.Output.Pool == "cls" {
		rows = 1
	}
	sum := make([]float64, columns)
	for r := range rows {
		for c := range sum {
			sum[c] += at(t, r*columns+c)
		}
	}
	length := 0.0
	for c := range sum {
		if sum[c] /= float64(rows); !finite(sum[c]) {
			return Result{}, contract("output %q: element %d is %v", t.Name, c, sum[c])
		}
		length = math.Hypot(length, sum[c])
	}
	out := make([]float32, columns)
	for c := range out {
		if p.spec.Output.Normalize && length > 0 {
			sum[c] /= length
		}
		if out[c] = float32(sum[c]); !finite(float64(out[c])) {
			return Result{}, contract("output %q: element %d, %v, is too large for FP32", t.Name, c, sum[c])
		}
	}
	return Result{Embedding: out}, nil
}
