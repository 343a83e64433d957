package ort

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

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

func TestDescribeKinds(t *testing.T) {
	for num, want := range map[protowire.Number]string{4: "a sequence", 5: "a map", 8: "a sparse tensor", 9: "an optional value"} {
		data := field(7, field(12, append(field(1, []byte("y")), field(2, field(num, nil))...)))
		if g, err := Describe(data); err != nil || len(g.Outputs) != 1 || g.Outputs[0].Type != want || g.Outputs[0].DType != tensor.Invalid {
			t.Errorf("%d: %+v %v", num, g, err)
		}
	}
}

// TestDescribeMerges: a message that is there twice counts as one, by protobuf's rules; withCasts builds on that.
func TestDescribeMerges(t *testing.T) {
	data := append(model(t, "add1"), field(7, field(12, field(1, []byte("more"))))...)
	if g, err := Describe(data); err != nil || len(g.Inputs) != 1 || len(g.Outputs) != 2 || g.Outputs[1].Name != "more" {
		t.Errorf("%+v %v", g, err)
	}
}

// TestDescribeSkips: fields of a kind that ONNX does not use here are passed over, if they are whole.
func TestDescribeSkips(t *testing.T) {
	extra := protowire.AppendFixed32(protowire.AppendTag(nil, 200, protowire.Fixed32Type), 1)
	extra = protowire.AppendFixed64(protowire.AppendTag(extra, 201, protowire.Fixed64Type), 1)
	data := append(extra, model(t, "add1")...)
	if g, err := Describe(data); err != nil || len(g.Inputs) != 1 {
		t.Errorf("%+v %v", g, err)
	}
	if _, err := Describe(extra[:len(extra)-1]); err == nil {
		t.Error("a cut field was passed over")
	}
}

func TestElemTypes(t *testing.T) {
	for n, want := range map[uint64]tensor.DType{0: tensor.Invalid, 1: tensor.FP32, 2: tensor.Uint8, 3: tensor.Int8, 4: tensor.Uint16, 5: tensor.Int16,
		6: tensor.Int32, 7: tensor.Int64, 8: tensor.Bytes, 9: tensor.Bool, 10: tensor.FP16, 11: tensor.FP64, 12: tensor.Uint32, 13: tensor.Uint64,
		14: tensor.Invalid, 15: tensor.Invalid, 16: tensor.BF16, 17: tensor.Invalid, 1 << 63: tensor.Invalid} {
		if got, name := elemType(n); got != want || name == "" {
			t.Errorf("%d: %v %q", n, got, name)
		}
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
