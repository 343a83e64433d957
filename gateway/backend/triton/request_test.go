package triton

import (
	"bytes"
	"math"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// generated is the request as the generated code has it.
func (r *inferRequest) generated() *tritonpb.ModelInferRequest {
	out := &tritonpb.ModelInferRequest{ModelName: r.model, ModelVersion: r.version, Id: r.id}
	for key, value := range r.params {
		if out.Parameters == nil {
			out.Parameters = map[string]*tritonpb.InferParameter{}
		}
		p := &tritonpb.InferParameter{}
		switch v := value.(type) {
		case bool:
			p.ParameterChoice = &tritonpb.InferParameter_BoolParam{BoolParam: v}
		case int64:
			p.ParameterChoice = &tritonpb.InferParameter_Int64Param{Int64Param: v}
		case uint64:
			p.ParameterChoice = &tritonpb.InferParameter_Uint64Param{Uint64Param: v}
		case string:
			p.ParameterChoice = &tritonpb.InferParameter_StringParam{StringParam: v}
		case float64:
			p.ParameterChoice = &tritonpb.InferParameter_DoubleParam{DoubleParam: v}
		}
		out.Parameters[key] = p
	}
	for _, t := range r.inputs {
		out.Inputs = append(out.Inputs, &tritonpb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape})
		out.RawInputContents = append(out.RawInputContents, t.Data)
	}
	for _, want := range r.outputs {
		o := &tritonpb.ModelInferRequest_InferRequestedOutputTensor{Name: want.name}
		if want.classes > 0 {
			o.Parameters = map[string]*tritonpb.InferParameter{"classification": {ParameterChoice: &tritonpb.InferParameter_Int64Param{Int64Param: want.classes}}}
		}
		out.Outputs = append(out.Outputs, o)
	}
	return out
}

func sameAsGenerated(t *testing.T, r *inferRequest) {
	t.Helper()
	got, err := r.marshal()
	if err != nil {
		t.Fatal(err)
	}
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.generated())
	if err != nil {
		t.Fatal(err)
	}
	if all := bytes.Join(got, nil); !bytes.Equal(all, want) {
		t.Fatalf("marshal differs from the generated code\n got %x\nwant %x", all, want)
	}
}

func TestMarshalEqualsTheGeneratedCode(t *testing.T) {
	big := make([]byte, 3*inlineLimit)
	for i := range big {
		big[i] = byte(i * 7)
	}
	for name, r := range map[string]*inferRequest{
		"nothing":   {},
		"no inputs": {model: "m", version: "3", id: "id"},
		"small":     {model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.FP32, Shape: []int64{2, 1}, Data: make([]byte, 8)}}},
		"large":     {model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Uint8, Shape: []int64{int64(len(big))}, Data: big}}},
		"mixed": {model: "m", version: "12", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Uint8, Shape: []int64{int64(len(big))}, Data: big},
			{Name: "empty", DType: tensor.FP32, Shape: []int64{0, 3}}, {Name: "b", DType: tensor.Bool, Shape: []int64{1}, Data: []byte{1}},
			{Name: "c", DType: tensor.BF16, Shape: []int64{int64(len(big)) / 2}, Data: big}},
			outputs: []wantedOutput{{name: "x"}, {name: "y", classes: 300}, {}}},
		"around the limits": {model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Uint8, Shape: []int64{copyLimit}, Data: big[:copyLimit]},
			{Name: "b", DType: tensor.Uint8, Shape: []int64{copyLimit + 1}, Data: big[:copyLimit+1]}, {Name: "c", DType: tensor.Uint8, Shape: []int64{inlineLimit}, Data: big[:inlineLimit]},
			{Name: "d", DType: tensor.Uint8, Shape: []int64{3}, Data: big[:3]}}},
		"just inline": {model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Uint8, Shape: []int64{inlineLimit}, Data: big[:inlineLimit]}}},
		"dimensions":  {model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Int8, Shape: []int64{math.MaxInt64, -1, 0, 128}}}},
		"parameters": {model: "m", params: map[string]any{"s": "text", "empty": "", "i": int64(-5), "zero": int64(0), "u": uint64(1 << 63),
			"t": true, "f": false, "d": 1.5, "nan": math.NaN(), "": "no key"}},
	} {
		t.Run(name, func(t *testing.T) { sameAsGenerated(t, r) })
	}
}

func TestMarshalRefusesOtherParameters(t *testing.T) {
	if _, err := (&inferRequest{params: map[string]any{"k": 3}}).marshal(); err == nil {
		t.Fatal("an int was taken: only the protocol's own types may be")
	}
}

func TestMarshalDoesNotCopyTensors(t *testing.T) {
	a, b := make([]byte, 2*inlineLimit), make([]byte, 3*inlineLimit)
	r := &inferRequest{model: "m", inputs: []tensor.Tensor{{Name: "a", DType: tensor.Uint8, Shape: []int64{int64(len(a))}, Data: a},
		{Name: "b", DType: tensor.Uint8, Shape: []int64{int64(len(b))}, Data: b}}}
	out, err := r.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 4 || &out[1][0] != &a[0] || &out[3][0] != &b[0] {
		t.Fatalf("%d buffers; want head, a, head, b, with the tensors' own memory", len(out))
	}
	allocated := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			if _, err := r.marshal(); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 1024 {
		t.Errorf("%d bytes allocated for tensors of %d: want none of their size", allocated, len(a)+len(b))
	}
}

func TestCodecTakesItsOwnMessagesOnly(t *testing.T) {
	if _, err := (codec{}).Marshal(&tritonpb.ModelInferRequest{}); err == nil {
		t.Error("Marshal took a generated message")
	}
	if err := (codec{}).Unmarshal(mem.BufferSlice{}, &inferResponse{}); err == nil {
		t.Error("Unmarshal took what is not streamed")
	}
	if name := (codec{}).Name(); name != "proto" {
		t.Errorf("Name() = %q; servers know proto alone", name)
	}
}

func FuzzMarshal(f *testing.F) {
	f.Add("m", "1", "id", "k", "v", int64(3), "in", int64(2), int64(-4), []byte{1, 2, 3}, 3, "out", int64(5))
	f.Add("", "", "", "", "", int64(0), "", int64(0), int64(0), []byte(nil), 0, "", int64(0))
	f.Add("ü", "9", "x", "a", "b", int64(-1), "i", int64(math.MinInt64), int64(1), make([]byte, 20), 2000, "o", int64(-1))
	f.Fuzz(func(t *testing.T, model, version, id, key, text string, number int64, input string, d0, d1 int64, data []byte, repeat int, output string, classes int64) {
		for _, s := range []string{model, version, id, key, text, input, output} {
			if !utf8.ValidString(s) {
				t.Skip("newInferRequest refuses it")
			}
		}
		repeat = max(1, min(repeat, 4096))
		data = bytes.Repeat(data, repeat)
		sameAsGenerated(t, &inferRequest{model: model, version: version, id: id, params: map[string]any{key: text, key + "n": number, key + "d": float64(number)},
			inputs:  []tensor.Tensor{{Name: input, DType: tensor.DType(uint8(d0) % 15), Shape: []int64{d0, d1}, Data: data}, {Name: input, Data: data}},
			outputs: []wantedOutput{{name: output, classes: classes}}})
	})
}
