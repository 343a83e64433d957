package triton

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

func streamedOf(t testing.TB) (*tritonpb.ModelStreamInferResponse, []byte) {
	t.Helper()
	answer, _ := answerOf(t)
	m := &tritonpb.ModelStreamInferResponse{ErrorMessage: "it failed", InferResponse: answer}
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, wire
}

func TestStreamedResponsesAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	want, wire := streamedOf(t)
	var got streamedResponse
	if err := got.unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	if got.problem != want.ErrorMessage {
		t.Errorf("got %q, want %q", got.problem, want.ErrorMessage)
	}
	compareResponse(t, &got.answer, want.InferResponse)
	// In pieces, and with what a later protocol adds.
	later := protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 7)
	wire = bytes.Join([][]byte{wire, later, wire}, nil)
	want = new(tritonpb.ModelStreamInferResponse)
	if err := proto.Unmarshal(wire, want); err != nil {
		t.Fatal(err)
	}
	if err := got.unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	compareResponse(t, &got.answer, want.InferResponse)
}

func TestStreamedResponsesThatAreBroken(t *testing.T) {
	_, wire := streamedOf(t)
	for name, b := range map[string][]byte{
		"cut short":                     wire[:len(wire)-3],
		"longer than the rest":          {0x12, 5, 0x0a, 1, 'm'},
		"a field beyond its message":    {0x12, 2, 0x0a, 4, 'm', 'n', 'o', 'p'},
		"a raw output beyond it":        {0x12, 2, 0x32, 3, 1, 2, 3},
		"a number beyond it":            {0x12, 2, 0x48, 0x80, 1},
		"a skipped field beyond it":     {0x12, 2, 0x4a, 3, 1, 2, 3},
		"a fixed one beyond it":         {0x12, 2, 0x49, 0, 0, 0, 0, 0, 0, 0, 0},
		"a group that ends outside":     {0x12, 1, 0x0b, 0x0c},
		"text not UTF-8":                {0x0a, 1, 0xff},
		"a length of more than an int":  append([]byte{0x12}, bytes.Repeat([]byte{0xff}, 9)...),
		"a length with the highest bit": {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
	} {
		var got streamedResponse
		if err := got.unmarshal(b); !errors.Is(err, errWire) {
			t.Errorf("%s: error %v, want errWire", name, err)
		}
	}
}

func FuzzUnmarshalStreamed(f *testing.F) {
	_, wire := streamedOf(f)
	f.Add(wire[:150])
	f.Add(append([]byte{0x0a, 2, 'n', 'o', 0x12, 3, 0x1a, 1, 'x'}, paramEntry(0x0a, 1, 'k', 0x12, 2, 0x08, 1)...))
	f.Add([]byte{0x12, 4, 0x22, 2, 0x0a, 0, 0x12, 0})
	f.Add([]byte{0x13, 0x14, 0x12, 2, 0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, wire []byte) {
		var got streamedResponse
		err := got.unmarshal(wire)
		want := new(tritonpb.ModelStreamInferResponse)
		generatedErr := proto.Unmarshal(wire, want)
		if generatedErr == nil && err != nil {
			t.Fatalf("refused what the generated code reads: %v", err)
		}
		if generatedErr == nil {
			if got.problem != want.ErrorMessage {
				t.Errorf("got %q, want %q", got.problem, want.ErrorMessage)
			}
			if want.InferResponse == nil {
				want.InferResponse = &tritonpb.ModelInferResponse{}
			}
			compareResponse(t, &got.answer, want.InferResponse)
		}
		if err == nil {
			_, _ = tensorsOf(&inferRequest{model: got.answer.model}, &got.answer)
		}
	})
}
