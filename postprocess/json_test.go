package postprocess

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/tensor"
)

// The same answers as structs of float32, for encoding/json.
type (
	jsonBox struct {
		X1 float32 `json:"x1"`
		Y1 float32 `json:"y1"`
		X2 float32 `json:"x2"`
		Y2 float32 `json:"y2"`
	}
	jsonClass struct {
		Label string   `json:"label"`
		Index int      `json:"index"`
		Score float32  `json:"score"`
		Box   *jsonBox `json:"box,omitempty"`
	}
)

func marshal(t interface{ Fatal(...any) }, name string, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return `"` + name + `":` + string(text)
}

func TestAppendJSONEqualsEncodingJSON(t *testing.T) {
	score := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(-1e6, 1e6), rapid.SampledFrom([]float64{0, 1, 1e-9, 1e-7, 1e30, -0.5, 0.1}))
	label := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a<b>&\"\\", "\u2028\u2029", "\x00\x1f\x7f", "\xff\xc0", "ä 中 🙂", ""}))
	rapid.Check(t, func(t *rapid.T) {
		predictions, classes := []Prediction{}, []jsonClass{}
		detections, boxes := []Detection{}, []jsonClass{}
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			l, i, s := label.Draw(t, "label"), rapid.IntRange(0, 1000).Draw(t, "index"), score.Draw(t, "score")
			b := Box{score.Draw(t, "x1"), score.Draw(t, "y1"), score.Draw(t, "x2"), score.Draw(t, "y2")}
			predictions = append(predictions, Prediction{l, i, s})
			classes = append(classes, jsonClass{l, i, float32(s), nil})
			detections = append(detections, Detection{l, i, s, b})
			boxes = append(boxes, jsonClass{l, i, float32(s), &jsonBox{float32(b.X1), float32(b.Y1), float32(b.X2), float32(b.Y2)}})
		}
		if got, want := string((&Result{Predictions: predictions}).AppendJSON(nil)), marshal(t, "predictions", classes); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if got, want := string((&Result{Detections: detections}).AppendJSON(nil)), marshal(t, "detections", boxes); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		vector := rapid.SliceOfN(rapid.Float32(), 0, 5).Draw(t, "vector")
		for i := range vector {
			if !finite(float64(vector[i])) {
				vector[i] = 0
			}
		}
		if got, want := string((&Result{Embedding: vector}).AppendJSON(nil)), marshal(t, "embedding", vector); vector != nil && got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

func TestAppendJSONValues(t *testing.T) {
	for _, c := range []struct {
		r    Result
		want string
	}{
		{Result{}, ``},
		{Result{Value: ptr(152.13348388671875)}, `"value":152.13348`}, // a float32 is written as one
		{Result{Value: ptr(0.1)}, `"value":0.1`},
		{Result{Value: ptr(1.0 / 3)}, `"value":0.3333333333333333`},
		{Result{Values: []float64{1, -2.5, 1e-9}}, `"values":[1,-2.5,1e-9]`},
		{Result{Embedding: []float32{}}, `"embedding":[]`},
		{Result{Predictions: []Prediction{{"a", 0, math.NaN()}}}, `"predictions":[{"label":"a","index":0,"score":null}]`},
		{Result{Predictions: []Prediction{{"</script>", 12, 0.5}}}, `"predictions":[{"label":"\u003c/script\u003e","index":12,"score":0.5}]`},
	} {
		if got := string(c.r.AppendJSON([]byte("x"))); got != "x"+c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestAppendJSONTensors(t *testing.T) {
	le := binary.LittleEndian
	texts := append(le.AppendUint32(nil, 2), "hi"...)
	texts = append(le.AppendUint32(texts, 1), '"')
	for _, c := range []struct {
		in   tensor.Tensor
		want string
	}{
		{fp32("a", []int64{1, 3}, []float32{1.5, nan32(), inf32(-1)}), `"datatype":"FP32","shape":[1,3],"data":[1.5,null,null]`},
		{fp64("a", []int64{1}, []float64{1.0 / 3}), `"datatype":"FP64","shape":[1],"data":[0.3333333333333333]`},
		{bits16("a", tensor.FP16, []int64{2}, []uint16{0x3800, 0x7e00}), `"datatype":"FP16","shape":[2],"data":[0.5,null]`},
		{bits16("a", tensor.BF16, []int64{}, []uint16{0x3f80}), `"datatype":"BF16","shape":[],"data":[1]`},
		{tensor.Tensor{Name: "a", DType: tensor.Bool, Shape: []int64{2}, Data: []byte{0, 7}}, `"datatype":"BOOL","shape":[2],"data":[false,true]`},
		{tensor.Tensor{Name: "a", DType: tensor.Int8, Shape: []int64{2}, Data: []byte{0x80, 1}}, `"datatype":"INT8","shape":[2],"data":[-128,1]`},
		{tensor.Tensor{Name: "a", DType: tensor.Uint8, Shape: []int64{1}, Data: []byte{200}}, `"datatype":"UINT8","shape":[1],"data":[200]`},
		{bits16("a", tensor.Int16, []int64{1}, []uint16{0xffff}), `"datatype":"INT16","shape":[1],"data":[-1]`},
		{bits16("a", tensor.Uint16, []int64{1}, []uint16{0xffff}), `"datatype":"UINT16","shape":[1],"data":[65535]`},
		{tensor.Tensor{Name: "a", DType: tensor.Int32, Shape: []int64{1}, Data: le.AppendUint32(nil, math.MaxUint32)}, `"datatype":"INT32","shape":[1],"data":[-1]`},
		{tensor.Tensor{Name: "a", DType: tensor.Uint32, Shape: []int64{1}, Data: le.AppendUint32(nil, math.MaxUint32)}, `"datatype":"UINT32","shape":[1],"data":[4294967295]`},
		{tensor.Tensor{Name: "a", DType: tensor.Int64, Shape: []int64{1}, Data: le.AppendUint64(nil, math.MaxUint64)}, `"datatype":"INT64","shape":[1],"data":[-1]`},
		{tensor.Tensor{Name: "a", DType: tensor.Uint64, Shape: []int64{1}, Data: le.AppendUint64(nil, math.MaxUint64)}, `"datatype":"UINT64","shape":[1],"data":[18446744073709551615]`},
		{tensor.Tensor{Name: "a", DType: tensor.Bytes, Shape: []int64{2}, Data: texts}, `"datatype":"BYTES","shape":[2],"data":["hi","\""]`},
	} {
		p, err := New(specRaw(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Run([]tensor.Tensor{c.in}, tensor.Frame{}, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.in.DType, err)
		} else if got, want := string(r.AppendJSON(nil)), `"outputs":[{"name":"a",`+c.want+`}]`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "<&>\"\\\n\t\b\f\r\x01", "\u2028\u2029\ufffd", "\xff\xed\xa0\x80", "é\xc3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestAppendJSONNeedsNoMemory(t *testing.T) {
	outputs, frame := scene(30, 10)
	r, err := detector(t, "yolov8", nil).Run(outputs, frame, Options{})
	if err != nil {
		t.Fatal(err)
	}
	buffer := r.AppendJSON(nil)
	if n := testing.AllocsPerRun(20, func() { buffer = r.AppendJSON(buffer[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !json.Valid([]byte("{"+string(buffer)+"}")) || strings.Contains(string(buffer), "NaN") {
		t.Errorf("not JSON: %s", buffer)
	}
}
