package preprocess_test

import (
	"testing"

	"triton-gateway/preprocess"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// runImage is the whole way: Sniff, New, Image.
func runImage(t testing.TB, engine preprocess.Engine, spec *task.Spec, data []byte) tensor.Tensor {
	t.Helper()
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := preprocess.New(spec, engine, preprocess.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	out, _, _, err := p.Image(t.Context(), data, h)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
