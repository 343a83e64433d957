package postprocess

import (
	"math"
	"reflect"
	"testing"

	"triton-gateway/task"
	"triton-gateway/tensor"
)

func specRaw() *task.Spec { return &task.Spec{Task: task.Raw} }

func runOne(t *testing.T, name task.Name, o task.Output, in tensor.Tensor) (Result, error) {
	t.Helper()
	p, err := New(&task.Spec{Task: name, Output: o}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.Run([]tensor.Tensor{in}, tensor.Frame{}, Options{})
}

func TestRegression(t *testing.T) {
	o := task.Output{Name: "y"}
	r, err := runOne(t, task.TabularRegression, o, fp32("y", []int64{1, 1}, []float32{152.13348}))
	if err != nil || r.Value == nil || *r.Value != float64(float32(152.13348)) || r.Values != nil {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = runOne(t, task.TabularRegression, o, fp64("y", []int64{2}, []float64{1.0 / 3, -2}))
	if err != nil || !reflect.DeepEqual(r.Values, []float64{1.0 / 3, -2}) || r.Value != nil {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = runOne(t, task.TabularRegression, o, fp64("y", []int64{2}, []float64{1, math.NaN()}))
	wantContract(t, "NaN", err)
	_, err = runOne(t, task.TabularRegression, o, fp64("y", []int64{2, 2}, make([]float64, 4)))
	wantContract(t, "batch of 2", err)
	_, err = runOne(t, task.TabularRegression, o, fp64("z", []int64{1}, []float64{1}))
	wantContract(t, "missing", err)
}

func TestEmbedding(t *testing.T) {
	tokens := fp32("y", []int64{1, 2, 2}, []float32{3, 4, 5, 0})
	for _, c := range []struct {
		name string
		in   tensor.Tensor
		o    task.Output
		want []float32
	}{
		{"as it is", fp32("y", []int64{1, 2}, []float32{3, 4}), task.Output{Pool: "none"}, []float32{3, 4}},
		{"normalized", fp32("y", []int64{2}, []float32{3, 4}), task.Output{Normalize: true}, []float32{0.6, 0.8}},
		{"zero stays zero", fp32("y", []int64{2}, []float32{0, 0}), task.Output{Normalize: true}, []float32{0, 0}},
		{"huge", fp32("y", []int64{2}, []float32{3e38, 0}), task.Output{Normalize: true}, []float32{1, 0}},
		{"cls", tokens, task.Output{Pool: "cls"}, []float32{3, 4}},
		{"mean", tokens, task.Output{Pool: "mean"}, []float32{4, 2}},
		{"mean without batch", fp32("y", []int64{2, 2}, []float32{3, 4, 5, 0}), task.Output{Pool: "mean"}, []float32{4, 2}},
		{"all tokens", tokens, task.Output{Pool: "none"}, []float32{3, 4, 5, 0}},
		{"convolution", fp32("y", []int64{1, 2, 1, 1}, []float32{3, 4}), task.Output{}, []float32{3, 4}},
	} {
		r, err := runOne(t, task.ImageFeatureExtraction, c.o, c.in)
		if err != nil || !reflect.DeepEqual(r.Embedding, c.want) {
			t.Errorf("%s: %v, %v", c.name, r.Embedding, err)
		}
	}
	for name, in := range map[string]tensor.Tensor{
		"NaN": fp32("y", []int64{2}, []float32{0, nan32()}), "Inf": fp32("y", []int64{2}, []float32{0, inf32(1)}),
		"batch of 2": fp32("y", []int64{2, 2}, make([]float32, 4)), "too large": fp64("y", []int64{1}, []float64{1e300}),
	} {
		_, err := runOne(t, task.ImageFeatureExtraction, task.Output{}, in)
		wantContract(t, name, err)
	}
	_, err := runOne(t, task.ImageFeatureExtraction, task.Output{Pool: "cls"}, fp32("y", []int64{2}, []float32{1, 2}))
	wantContract(t, "cls of a vector", err)
}

func TestRaw(t *testing.T) {
	in := fp32("y", []int64{2}, []float32{1, 2})
	r, err := runOne(t, task.Raw, task.Output{}, in)
	if err != nil || !reflect.DeepEqual(r.Outputs, []tensor.Tensor{in}) {
		t.Errorf("%+v, %v", r, err)
	}
	in.Shape = []int64{3}
	_, err = runOne(t, task.Raw, task.Output{}, in)
	wantContract(t, "too short", err)
	p, _ := New(specRaw(), nil)
	_, err = p.Run(nil, tensor.Frame{}, Options{})
	wantContract(t, "none", err)
}
