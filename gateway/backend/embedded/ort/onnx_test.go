package ort

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/tensor"
)

func TestDescribe(t *testing.T) {
	f := func(name string, d tensor.DType, dims ...int64) Value {
		return Value{Name: name, DType: d, Type: d.String(), Ranked: true, Dims: dims}
	}
	for name, want := range map[string]Graph{
		"add1":     {[]Value{f("x", tensor.FP32, -1, 4)}, []Value{f("y", tensor.FP32, -1, 4)}},
		"pair":     {[]Value{f("a", tensor.FP32, -1, 2), f("b", tensor.FP32, -1, 2)}, []Value{f("difference", tensor.FP32, -1, 2), f("sum", tensor.FP32, -1, 2)}},
		"scalar":   {[]Value{f("x", tensor.FP32, -1)}, []Value{f("y", tensor.FP32)}},
		"half":     {[]Value{f("x", tensor.FP16, -1)}, []Value{f("y", tensor.FP16, -1)}},
		"sequence": {[]Value{f("x", tensor.FP32, -1)}, []Value{{Name: "y", Type: "a sequence"}}},
	} {
		if got, err := Describe(model(t, name)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v %v, want %+v", name, got, err, want)
		}
	}
}

// TestDescribeLeavesOutDefaults: before IR version 4, exporters listed the weights among the inputs.
func TestDescribeLeavesOutDefaults(t *testing.T) {
	graph := append(field(11, field(1, []byte("x"))), field(11, field(1, []byte("w")))...)
	graph = append(graph, field(5, field(8, []byte("w")))...)
	graph = append(graph, field(11, field(1, []byte("s")))...)
	graph = append(graph, field(15, field(1, field(8, []byte("s"))))...)
	got, err := Describe(field(7, graph))
	if err != nil || len(got.Inputs) != 1 || got.Inputs[0].Name != "x" || got.Inputs[0].Ranked {
		t.Errorf("got %+v %v, want x alone", got, err)
	}
}

func TestDescribeErrors(t *testing.T) {
	for want, data := range map[string][]byte{
		"no graph":              nil,
		"not an ONNX model":     []byte("<html>"),
		"has no name":           field(7, field(11, nil)),
		"dimension -7 is neg":   field(7, field(11, append(field(1, []byte("x")), field(2, field(1, field(2, field(1, varint(1, 1<<64-7)))))...))),
		"a cut one: unexpected": {0x3a, 0x7f, 0x00},
	} {
		if got, err := Describe(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v %v", want, got, err)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	files, _ := filepath.Glob("../testdata/*.onnx")
	if len(files) == 0 {
		f.Fatal("no models in testdata")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)*2/3])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := Describe(data)
		if err != nil {
			return
		}
		again, err := Describe(withCasts(data, g.Outputs))
		if err != nil {
			t.Fatalf("with casts: %v", err)
		}
		halves := 0
		for _, v := range g.Outputs {
			if isHalf(v.DType) {
				halves++
			}
		}
		if len(again.Outputs) != len(g.Outputs)+halves || !reflect.DeepEqual(again.Inputs, g.Inputs) {
			t.Fatalf("casts changed the graph: %+v, was %+v", again, g)
		}
		for _, v := range append(g.Inputs, g.Outputs...) {
			for _, d := range v.Dims {
				if d < -1 {
					t.Fatalf("dimension %d", d)
				}
			}
		}
	})
}
