package kserve

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// FuzzJSONTensors reads any JSON as a request. What is read is complete and valid; what the standard library does not take as JSON is refused,
// but for NaN and the infinities; and the numbers are those that it reads.
func FuzzJSONTensors(f *testing.F) {
	for _, c := range badRequests(f) {
		if len(c.body) < 2000 && len(c.headers) == 0 {
			f.Add([]byte(c.body))
		}
	}
	f.Add([]byte(goodJSON))
	f.Add([]byte(`{"id":"x","parameters":{"a":1,"b":-2.5e3,"c":true,"d":"\u00e9\ud83d\ude00"},"inputs":[{"name":"A","shape":[2,1],"datatype":"BYTES","data":[["a\n"],[""]]},` +
		`{"data":[NaN,-Infinity,1e-45],"name":"B","datatype":"FP32","shape":[3]}],"outputs":[{"name":"O","parameters":{"binary_data":true,"classification":3}}]}`))
	for dtype, data := range map[string]string{"BOOL": "[true,[false]]", "UINT64": "[18446744073709551615,0]", "INT64": "[-9223372036854775808,1]", "INT8": "[-128,127]", "FP64": "[1e308,-5e-324]"} {
		f.Add([]byte(pixels(`"datatype":"` + dtype + `","shape":[2],"data":` + data)))
	}
	var pool buffers
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		q := &jsonRequest{jsonReader: jsonReader{b: text}, limits: testLimits, lease: newLease(&pool)}
		defer q.lease.Release()
		err := q.parse()
		if !bytes.Equal(text, before) {
			t.Fatal("reading changed the text")
		}
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("the error is none of the caller's: %v", err)
			}
			return
		}
		words := bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf"))
		if !words && !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		for i := range q.inputs {
			in := &q.inputs[i]
			if in.inBody {
				continue
			}
			if err := in.Validate(); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			sameNumbers(t, text, words, in)
		}
	})
}

// sameNumbers compares with the standard library, where that can read the request and no member is given twice.
func sameNumbers(t *testing.T, text []byte, words bool, in *givenInput) {
	var q struct {
		Inputs []struct {
			Name string          `json:"name"`
			Data json.RawMessage `json:"data"`
		} `json:"inputs"`
	}
	if words || bytes.Count(text, []byte(`data"`)) != 1 || bytes.Count(text, []byte(`inputs"`)) != 1 || bytes.Contains(text, []byte(`\`)) || in.DType != tensor.FP64 {
		return
	}
	if json.Unmarshal(text, &q) != nil || len(q.Inputs) != 1 || strings.Count(string(q.Inputs[0].Data), "[") != 1 {
		return
	}
	var want []float64
	if json.Unmarshal(q.Inputs[0].Data, &want) != nil {
		return
	}
	for i, w := range want {
		if got := math.Float64frombits(order.Uint64(in.Data[8*i:])); math.Float64bits(got) != math.Float64bits(w) {
			t.Fatalf("%s: element %d is %v, want %v", text, i, got, w)
		}
	}
}
