//go:build cgo

package ort

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/tensor"
)

func TestScalarsOfEveryType(t *testing.T) {
	s := load(t, open(t), "scalars", Options{})
	var in []tensor.Tensor
	for _, v := range s.Graph().Inputs {
		in = append(in, tensor.Tensor{Name: v.Name, DType: v.DType, Shape: []int64{1}, Data: sample(v.DType)[:v.DType.Size()]})
	}
	if len(in) != 11 {
		t.Fatalf("%d inputs", len(in))
	}
	out, err := s.Run(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range out {
		want := tensor.Tensor{Name: "out" + strings.TrimPrefix(in[i].Name, "in"), DType: in[i].DType, Shape: []int64{}, Data: in[i].Data}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestScalarsThatCannotBeServed(t *testing.T) {
	if _, err := open(t).Load(model(t, "halfscalar"), Options{}); err == nil || !strings.Contains(err.Error(), `output "y" is FP16 without dimensions`) {
		t.Errorf("%v", err)
	}
	for _, d := range []tensor.DType{tensor.FP16, tensor.BF16, tensor.Bytes, tensor.Invalid} {
		if v, err := newScalar(d); err == nil {
			t.Errorf("%s: %v", d, v)
		}
	}
}
