package triton

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

// paramEntry is a field of ModelInferResponse.parameters.
func paramEntry(body ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, responseParams, protowire.BytesType), body)
}

// Messages that no careful server writes, and that have a meaning all the same.
func TestOddParametersAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	for name, wire := range map[string][]byte{
		"no key, no value":           paramEntry(),
		"no value":                   paramEntry(0x0a, 1, 'k'),
		"no key":                     paramEntry(0x12, 2, 0x08, 1),
		"the last of a oneof":        paramEntry(0x0a, 1, 'k', 0x12, 4, 0x08, 1, 0x10, 7),
		"a value in pieces":          paramEntry(0x0a, 1, 'k', 0x12, 2, 0x08, 1, 0x12, 2, 0x28, 9),
		"an empty second piece":      paramEntry(0x0a, 1, 'k', 0x12, 2, 0x08, 1, 0x12, 0),
		"the key twice":              paramEntry(0x0a, 1, 'a', 0x0a, 1, 'b', 0x12, 2, 0x10, 5),
		"an entry twice":             bytes.Join([][]byte{paramEntry(0x0a, 1, 'k', 0x12, 2, 0x10, 5), paramEntry(0x0a, 1, 'k', 0x12, 2, 0x10, 6)}, nil),
		"a later one without value":  bytes.Join([][]byte{paramEntry(0x0a, 1, 'k', 0x12, 2, 0x10, 5), paramEntry(0x0a, 1, 'k')}, nil),
		"another wire type":          paramEntry(0x0a, 1, 'k', 0x12, 5, 0x0d, 1, 2, 3, 4),
		"what is new":                paramEntry(0x0a, 1, 'k', 0x12, 4, 0x38, 1, 0x10, 2, 0x18, 3),
		"a bool that is two":         paramEntry(0x0a, 1, 'k', 0x12, 2, 0x08, 2),
		"text as a number's field":   paramEntry(0x0a, 1, 'k', 0x12, 3, 0x12, 1, 'x'),
		"the value's field as a bit": paramEntry(0x0a, 1, 'k', 0x10, 1),
	} {
		want := new(tritonpb.ModelInferResponse)
		if err := proto.Unmarshal(wire, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got inferResponse
		if err := got.unmarshal(wire); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if expected := generatedParams(want.Parameters); !sameParams(got.params, expected) {
			t.Errorf("%s: got %v, want %v", name, got.params, expected)
		}
	}
}

func TestParamsOfAnAnswerReachTheCaller(t *testing.T) {
	_, wire := answerOf(t)
	var a inferResponse
	if err := a.unmarshal(wire); err != nil {
		t.Fatal(err)
	}
	a.outputs, a.raw = nil, nil
	got, err := checked(&inferRequest{model: "m"}, &a)
	if err != nil || len(got.Params) != 6 || got.Params["u"] != uint64(1<<63) || got.Params["zero"] != int64(0) {
		t.Errorf("got %v, %v", got.Params, err)
	}
	plain, err := checked(&inferRequest{model: "m"}, &inferResponse{model: "m"})
	if err != nil || plain.Params != nil {
		t.Errorf("got %v, %v; want nil", plain.Params, err)
	}
}
