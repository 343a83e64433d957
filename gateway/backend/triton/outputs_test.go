package triton

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

func out(name, dtype string, shape ...int64) wireOutput {
	return wireOutput{name: name, dtype: dtype, shape: shape}
}

func TestCheckedTakesOutputsByName(t *testing.T) {
	got, err := checked(&inferRequest{model: "m", version: "2", outputs: []wantedOutput{{name: "b"}, {name: "a"}}},
		&inferResponse{model: "m", version: "2", outputs: []wireOutput{out("a", "UINT8", 2), out("b", "FP16", 1, 1)}, raw: [][]byte{{1, 2}, {3, 4}}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "2" || got.Epoch != "" || len(got.Outputs) != 2 {
		t.Fatalf("got %+v", got)
	}
	b := got.Outputs[1]
	if b.Name != "b" || b.DType != tensor.FP16 || !slices.Equal(b.Shape, []int64{1, 1}) || !slices.Equal(b.Data, []byte{3, 4}) {
		t.Errorf("got %+v", b)
	}
}

func TestCheckedRefusesWhatDoesNotFit(t *testing.T) {
	asked := &inferRequest{model: "m", version: "2", outputs: []wantedOutput{{name: "a"}}}
	for text, a := range map[string]*inferResponse{
		`model "n"`:             {model: "n"},
		`version "3"`:           {version: "3"},
		`"a" is missing`:        {outputs: []wireOutput{out("b", "UINT8", 1)}, raw: [][]byte{{1}}},
		"comes twice":           {outputs: []wireOutput{out("a", "UINT8", 1), out("a", "UINT8", 1)}, raw: [][]byte{{1}, {1}}},
		"2 raw contents for 1":  {outputs: []wireOutput{out("a", "UINT8", 1)}, raw: [][]byte{{1}, {1}}},
		"1 raw contents for 2":  {outputs: []wireOutput{out("a", "UINT8", 1), out("b", "UINT8", 1)}, raw: [][]byte{{1}}},
		`datatype "FLOAT"`:      {outputs: []wireOutput{out("a", "FLOAT", 1)}, raw: [][]byte{{1}}},
		"negative":              {outputs: []wireOutput{out("a", "UINT8", -1)}, raw: [][]byte{{1}}},
		"too many elements":     {outputs: []wireOutput{out("a", "UINT8", math.MaxInt64, 3)}, raw: [][]byte{{1}}},
		"got 3 bytes":           {outputs: []wireOutput{out("a", "FP32", 1)}, raw: [][]byte{{1, 2, 3}}},
		"got 0 bytes":           {outputs: []wireOutput{out("a", "FP32", 1)}},
		"33 dimensions":         {outputs: []wireOutput{out("a", "UINT8", make([]int64, 33)...)}, raw: [][]byte{{}}},
		"257 outputs":           {outputs: make([]wireOutput, 257)},
		"claims 9 bytes":        {outputs: []wireOutput{out("a", "BYTES", 1)}, raw: [][]byte{{9, 0, 0, 0, 1}}},
		"typed contents beside": {outputs: []wireOutput{{name: "a", dtype: "INT32", shape: []int64{0}, contents: []byte{}}}, raw: [][]byte{{}}},
	} {
		_, err := checked(asked, a)
		if f := wantFault(t, err, fault.Contract, "upstream_contract"); !strings.Contains(f.Detail, text) {
			t.Errorf("detail %q, want %q in it", f.Detail, text)
		}
	}
}

func TestTypedContents(t *testing.T) {
	for _, c := range []struct {
		dtype tensor.DType
		in    *tritonpb.InferTensorContents
		want  []byte
	}{
		{tensor.Bool, &tritonpb.InferTensorContents{BoolContents: []bool{true, false}}, []byte{1, 0}},
		{tensor.Int8, &tritonpb.InferTensorContents{IntContents: []int32{-128, 127}}, []byte{0x80, 0x7f}},
		{tensor.Int16, &tritonpb.InferTensorContents{IntContents: []int32{-2}}, []byte{0xfe, 0xff}},
		{tensor.Int32, &tritonpb.InferTensorContents{IntContents: []int32{math.MinInt32}}, []byte{0, 0, 0, 0x80}},
		{tensor.Int64, &tritonpb.InferTensorContents{Int64Contents: []int64{-1}}, []byte{255, 255, 255, 255, 255, 255, 255, 255}},
		{tensor.Uint8, &tritonpb.InferTensorContents{UintContents: []uint32{255}}, []byte{255}},
		{tensor.Uint16, &tritonpb.InferTensorContents{UintContents: []uint32{256}}, []byte{0, 1}},
		{tensor.Uint32, &tritonpb.InferTensorContents{UintContents: []uint32{math.MaxUint32}}, []byte{255, 255, 255, 255}},
		{tensor.Uint64, &tritonpb.InferTensorContents{Uint64Contents: []uint64{1 << 63}}, []byte{0, 0, 0, 0, 0, 0, 0, 128}},
		{tensor.FP32, &tritonpb.InferTensorContents{Fp32Contents: []float32{1.5}}, binary.LittleEndian.AppendUint32(nil, math.Float32bits(1.5))},
		{tensor.FP64, &tritonpb.InferTensorContents{Fp64Contents: []float64{-2}}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(-2))},
		{tensor.Bytes, &tritonpb.InferTensorContents{BytesContents: [][]byte{[]byte("ab"), {}}}, []byte{2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0}},
		{tensor.FP32, &tritonpb.InferTensorContents{}, []byte{}},
	} {
		wire, err := proto.Marshal(c.in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := typedContents(c.dtype, wire)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %x, %v; want %x", c.dtype, got, err, c.want)
		}
	}
	unpacked := []byte{0x10, 5, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1} // one by one: 5, -1
	if got, err := typedContents(tensor.Int16, unpacked); err != nil || !slices.Equal(got, []byte{5, 0, 0xff, 0xff}) {
		t.Errorf("unpacked numbers: got %x, %v", got, err)
	}
}

func TestTypedContentsRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		dtype tensor.DType
		in    []byte
	}{
		"FP16 has no field":  {tensor.FP16, nil},
		"another's field":    {tensor.Int64, []byte{0x10, 1}},
		"too big for INT8":   {tensor.Int8, []byte{0x10, 0x80, 1}},
		"too big for UINT8":  {tensor.Uint8, []byte{0x20, 0x80, 2}},
		"half a float":       {tensor.FP32, []byte{0x32, 2, 0, 0}},
		"float as varint":    {tensor.FP32, []byte{0x30, 1}},
		"cut":                {tensor.Int32, []byte{0x12, 5, 1}},
		"cut number in list": {tensor.Int32, []byte{0x12, 1, 0x80}},
		"BYTES as a number":  {tensor.Bytes, []byte{0x40, 1}},
	} {
		if got, err := typedContents(c.dtype, c.in); err == nil {
			t.Errorf("%s: got %x, want an error", name, got)
		}
	}
}

func FuzzTypedContents(f *testing.F) {
	f.Add(uint8(6), []byte{0x12, 2, 1, 2})
	f.Add(uint8(11), []byte{0x32, 4, 0, 0, 0x80, 0x3f})
	f.Add(uint8(14), []byte{0x42, 2, 'a', 'b'})
	f.Add(uint8(1), []byte{0x08, 7, 0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, d uint8, wire []byte) {
		dtype := tensor.DType(d % 15)
		got, err := typedContents(dtype, wire)
		if err != nil || dtype == tensor.Bytes {
			return
		}
		if len(got)%dtype.Size() != 0 {
			t.Fatalf("%d bytes of %s", len(got), dtype)
		}
		want := new(tritonpb.InferTensorContents)
		if proto.Unmarshal(wire, want) != nil {
			t.Skip("the generated code reads no more of it")
		}
		n := max(len(want.BoolContents), len(want.IntContents), len(want.Int64Contents), len(want.UintContents), len(want.Uint64Contents), len(want.Fp32Contents), len(want.Fp64Contents))
		if len(got) != n*dtype.Size() {
			t.Errorf("%d elements, the generated code reads %d", len(got)/dtype.Size(), n)
		}
	})
}
