package triton

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

func answerOf(t testing.TB) (*tritonpb.ModelInferResponse, []byte) {
	t.Helper()
	m := &tritonpb.ModelInferResponse{ModelName: "m", ModelVersion: "7", Id: "x",
		Parameters: map[string]*tritonpb.InferParameter{
			"s": {ParameterChoice: &tritonpb.InferParameter_StringParam{StringParam: "q"}}, "b": {ParameterChoice: &tritonpb.InferParameter_BoolParam{BoolParam: true}},
			"i": {ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: -3}}, "u": {ParameterChoice: &tritonpb.InferParameter_Uint64Param{Uint64Param: 1 << 63}},
			"d": {ParameterChoice: &tritonpb.InferParameter_DoubleParam{DoubleParam: 0.5}}, "zero": {ParameterChoice: &tritonpb.InferParameter_Int64Param{}}, "none": {}},
		Outputs: []*tritonpb.ModelInferResponse_InferOutputTensor{
			{Name: "a", Datatype: "FP32", Shape: []int64{2, 1}},
			{Name: "b", Datatype: "UINT8", Shape: []int64{0}, Parameters: map[string]*tritonpb.InferParameter{"k": {ParameterChoice: &tritonpb.InferParameter_BoolParam{BoolParam: true}}}},
			{Name: "c", Datatype: "INT64", Shape: []int64{-1, 1 << 40}, Contents: &tritonpb.InferTensorContents{Int64Contents: []int64{1, -2}}},
		},
		RawOutputContents: [][]byte{bytes.Repeat([]byte{1, 2, 3, 4}, 20_000), {}},
	}
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, wire
}

// generatedParams are parameters as the generated code has them, without those that have no value.
func generatedParams(in map[string]*tritonpb.InferParameter) map[string]any {
	out := map[string]any{}
	for key, p := range in {
		switch v := p.GetParameterChoice().(type) {
		case *tritonpb.InferParameter_BoolParam:
			out[key] = v.BoolParam
		case *tritonpb.InferParameter_Int64Param:
			out[key] = v.Int64Param
		case *tritonpb.InferParameter_Uint64Param:
			out[key] = v.Uint64Param
		case *tritonpb.InferParameter_StringParam:
			out[key] = v.StringParam
		case *tritonpb.InferParameter_DoubleParam:
			out[key] = v.DoubleParam
		}
	}
	return out
}

func sameParams(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool {
		f, isFloat := x.(float64)
		g, _ := y.(float64)
		return x == y || isFloat && math.Float64bits(f) == math.Float64bits(g)
	})
}

// compareResponse holds the hand-written reading against the generated code's.
func compareResponse(t *testing.T, got *inferResponse, want *tritonpb.ModelInferResponse) {
	t.Helper()
	if params := generatedParams(want.Parameters); !sameParams(got.params, params) {
		t.Errorf("parameters %v, want %v", got.params, params)
	}
	if got.model != want.ModelName || got.version != want.ModelVersion || got.id != want.Id {
		t.Errorf("got %q %q %q, want %q %q %q", got.model, got.version, got.id, want.ModelName, want.ModelVersion, want.Id)
	}
	if !slices.EqualFunc(got.raw, want.RawOutputContents, bytes.Equal) {
		t.Errorf("raw contents differ")
	}
	if len(got.outputs) != len(want.Outputs) {
		t.Fatalf("%d outputs, want %d", len(got.outputs), len(want.Outputs))
	}
	for i, o := range got.outputs {
		w := want.Outputs[i]
		if o.name != w.Name || o.dtype != w.Datatype || !slices.Equal(o.shape, w.Shape) {
			t.Errorf("output %d: got %q %q %v, want %q %q %v", i, o.name, o.dtype, o.shape, w.Name, w.Datatype, w.Shape)
		}
		if (o.contents != nil) != (w.Contents != nil) {
			t.Fatalf("output %d: contents %x, want %v", i, o.contents, w.Contents)
		}
		if w.Contents == nil {
			continue
		}
		contents := new(tritonpb.InferTensorContents)
		if err := proto.Unmarshal(o.contents, contents); err != nil || !proto.Equal(contents, w.Contents) {
			t.Errorf("output %d: contents %v, want %v (%v)", i, contents, w.Contents, err)
		}
	}
}

func TestUnmarshalEqualsTheGeneratedCode(t *testing.T) {
	want, wire := answerOf(t)
	var got inferResponse
	if err := got.unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	compareResponse(t, &got, want)
}

func TestUnmarshalPassesOverWhatIsNew(t *testing.T) {
	want, wire := answerOf(t)
	wire = protowire.AppendVarint(protowire.AppendTag(wire, 99, protowire.VarintType), 1<<50)
	wire = protowire.AppendFixed32(protowire.AppendTag(wire, 100, protowire.Fixed32Type), 5)
	wire = protowire.AppendFixed64(protowire.AppendTag(wire, 101, protowire.Fixed64Type), 5)
	wire = protowire.AppendBytes(protowire.AppendTag(wire, 102, protowire.BytesType), []byte("later"))
	wire = protowire.AppendTag(wire, 103, protowire.StartGroupType)
	wire = protowire.AppendVarint(protowire.AppendTag(wire, 1, protowire.VarintType), 3)
	wire = protowire.AppendTag(protowire.AppendTag(wire, 2, protowire.StartGroupType), 2, protowire.EndGroupType)
	wire = protowire.AppendTag(wire, 103, protowire.EndGroupType)
	var got inferResponse
	if err := got.unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	compareResponse(t, &got, want)
}

func TestUnmarshalRefusesBrokenMessages(t *testing.T) {
	_, wire := answerOf(t)
	huge := protowire.AppendVarint(protowire.AppendTag(nil, responseRaw, protowire.BytesType), 1<<62)
	for name, b := range map[string][]byte{
		"cut short":          wire[:len(wire)-3],
		"length beyond all":  append(huge, 1, 2, 3),
		"varint overflow":    append([]byte{0x32}, bytes.Repeat([]byte{0xff}, 11)...),
		"varint cut":         {0x32, 0xff},
		"field number 0":     {0x02, 0x00},
		"end without start":  {0x0c},
		"other group's end":  {0x0b, 0x14},
		"open group":         {0x0b, 0x08, 0x01},
		"deep groups":        bytes.Repeat([]byte{0x0b}, 20_000),
		"wire type 7":        {0x0f},
		"name not UTF-8":     {0x0a, 1, 0xff},
		"output's name":      {0x2a, 3, 0x0a, 1, 0xff},
		"output cut":         {0x2a, 2, 0x0a, 5},
		"output's shape cut": {0x2a, 3, 0x1a, 1, 0x80},
		"fixed64 cut":        {0x09, 1, 2},
		"parameter's name":   {0x22, 3, 0x0a, 1, 0xff},
		"parameter's text":   {0x22, 5, 0x12, 3, 0x1a, 1, 0xff},
		"parameter cut":      {0x22, 4, 0x12, 2, 0x08, 0x80},
	} {
		var got inferResponse
		if err := got.unmarshal(b); !errors.Is(err, errWire) {
			t.Errorf("%s: error %v, want errWire", name, err)
		}
	}
}

// TestUnmarshalCopiesWhatIsSmall: what is most of the message lies in it, without room to append; the rest does not hold on to it.
func TestUnmarshalCopiesWhatIsSmall(t *testing.T) {
	for _, x := range []struct {
		sizes []int
		lies  []bool
	}{{[]int{100_000, 100}, []bool{true, false}}, {[]int{50_000, 40_000, 60_000}, []bool{false, false, false}}, {[]int{16}, []bool{true}}, {[]int{100, 1000, 0}, []bool{true, true, true}}} {
		m := &tritonpb.ModelInferResponse{}
		for i, size := range x.sizes {
			m.RawOutputContents = append(m.RawOutputContents, bytes.Repeat([]byte{byte(i + 1)}, size))
		}
		wire, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got inferResponse
		if err := got.unmarshal(wire); err != nil {
			t.Fatal(err)
		}
		compareResponse(t, &got, m)
		for i := range wire {
			wire[i] = poison
		}
		for i, raw := range got.raw {
			if lies := bytes.Count(raw, []byte{poison}) == len(raw); lies != x.lies[i] || cap(raw) != len(raw) {
				t.Errorf("%v: output %d lies in the message: %t, and has room for %d", x.sizes, i, lies, cap(raw)-len(raw))
			}
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	_, wire := answerOf(f)
	f.Add(wire[:200])
	f.Add(wire[len(wire)-60:])
	f.Add([]byte{0x2a, 8, 0x0a, 1, 'a', 0x18, 5, 0x1a, 1, 6})
	f.Add([]byte{0x0b, 0x08, 0x01, 0x0c, 0x32, 0x00})
	f.Add([]byte(strings.Repeat("\x2a\x02\x2a\x00", 5)))
	f.Fuzz(func(t *testing.T, wire []byte) {
		var got inferResponse
		err := got.unmarshal(wire)
		want := new(tritonpb.ModelInferResponse)
		generatedErr := proto.Unmarshal(wire, want)
		if generatedErr == nil && err != nil {
			t.Fatalf("refused what the generated code reads: %v", err)
		}
		if generatedErr == nil {
			compareResponse(t, &got, want)
		}
		if err == nil { // whatever was read, checking it must not panic
			_, _ = checked(&inferRequest{model: got.model}, &got)
		}
	})
}
