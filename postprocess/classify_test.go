package postprocess

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// wantContract checks that an error is the model's fault, and says why.
func wantContract(t interface {
	Helper()
	Errorf(string, ...any)
}, name string, err error) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Contract || f.Code != "upstream_contract" || len(f.Detail) < 20 {
		t.Errorf("%s: got %v", name, err)
	}
}

// oddLogits draws logits among which ties, NaN, infinities and huge values are common.
func oddLogits(t *rapid.T, n int) []float32 {
	special := []float32{0, 1, 1, 2, -3, nan32(), inf32(1), inf32(-1), 3e38, -3e38, 1e-40, 88, -104}
	one := rapid.OneOf(rapid.SampledFrom(special), rapid.Float32Range(-20, 20))
	return rapid.SliceOfN(one, n, n).Draw(t, "logits")
}

func TestClassifyEqualsOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 150).Draw(t, "classes")
		k := rapid.IntRange(1, 160).Draw(t, "k")
		activation := rapid.SampledFrom([]string{"softmax", "sigmoid", "none"}).Draw(t, "activation")
		logits := oddLogits(t, n)
		scores := make([]float64, n)
		for i, x := range logits {
			scores[i] = float64(x)
			if activation == "sigmoid" {
				scores[i] = 1 / (1 + math.Exp(-float64(x)))
			}
		}
		if activation == "softmax" {
			scores = oracleSoftmax(scores)
		}
		var o Options
		wanted := func(int) bool { return true }
		if rapid.Bool().Draw(t, "filter") {
			some := rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 10).Draw(t, "wanted")
			set := map[int]bool{}
			for _, i := range some {
				set[i] = true
				o.Classes = append(o.Classes, strconv.Itoa(i))
			}
			wanted = func(i int) bool { return set[i] }
		}
		shape := rapid.SampledFrom([][]int64{{int64(n)}, {1, int64(n)}, {1, int64(n), 1, 1}}).Draw(t, "shape")
		r, err := classifier(activation, k).Run([]tensor.Tensor{fp32("y", shape, logits)}, tensor.Frame{}, o)
		if len(oracleTop(scores, n, func(int) bool { return true })) == 0 {
			wantContract(t, "nothing left", err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := oracleTop(scores, k, wanted)
		if len(want) != len(r.Predictions) {
			t.Fatalf("got %v, want %v", r.Predictions, want)
		}
		for i, p := range r.Predictions {
			if p.Index != want[i].Index || math.Abs(p.Score-want[i].Score) > 1e-15*math.Max(1, math.Abs(p.Score)) || p.Label != strconv.Itoa(p.Index) {
				t.Fatalf("%d: got %v, want %v", i, p, want[i])
			}
		}
	})
}

func TestClassifyInfinities(t *testing.T) {
	for _, c := range []struct {
		name, activation string
		logits           []float32
		want             []Prediction
	}{
		{"softmax, one +Inf", "softmax", []float32{1, inf32(1), 3}, []Prediction{{"1", 1, 1}, {"0", 0, 0}, {"2", 2, 0}}},
		{"softmax, two +Inf", "softmax", []float32{inf32(1), 0, inf32(1)}, []Prediction{{"0", 0, 0.5}, {"2", 2, 0.5}, {"1", 1, 0}}},
		{"softmax, -Inf", "softmax", []float32{inf32(-1), 0}, []Prediction{{"1", 1, 1}, {"0", 0, 0}}},
		{"softmax, all -Inf", "softmax", []float32{inf32(-1), inf32(-1)}, []Prediction{{"0", 0, 0.5}, {"1", 1, 0.5}}},
		{"softmax, NaN", "softmax", []float32{nan32(), 2, 2}, []Prediction{{"1", 1, 0.5}, {"2", 2, 0.5}}},
		{"softmax, huge", "softmax", []float32{3e38, -3e38}, []Prediction{{"0", 0, 1}, {"1", 1, 0}}},
		{"sigmoid", "sigmoid", []float32{inf32(-1), inf32(1), nan32(), 0}, []Prediction{{"1", 1, 1}, {"3", 3, 0.5}, {"0", 0, 0}}},
		{"none", "none", []float32{inf32(1), 0.25, nan32(), 0.75}, []Prediction{{"3", 3, 0.75}, {"1", 1, 0.25}}},
	} {
		r, err := classifier(c.activation, 9).Run([]tensor.Tensor{fp32("y", []int64{1, int64(len(c.logits))}, c.logits)}, tensor.Frame{}, Options{})
		if err != nil || !reflect.DeepEqual(r.Predictions, c.want) {
			t.Errorf("%s: got %v, %v", c.name, r.Predictions, err)
		}
	}
}

func TestClassifyDatatypes(t *testing.T) {
	shape := []int64{1, 3}
	for _, in := range []tensor.Tensor{
		fp32("y", shape, []float32{0.25, -2, 1.5}),
		fp64("y", shape, []float64{0.25, -2, 1.5}),
		bits16("y", tensor.FP16, shape, []uint16{0x3400, 0xc000, 0x3e00}),
		bits16("y", tensor.BF16, shape, []uint16{0x3e80, 0xc000, 0x3fc0}),
	} {
		r, err := classifier("none", 3, "a", "b", "c").Run([]tensor.Tensor{in}, tensor.Frame{}, Options{})
		want := []Prediction{{"c", 2, 1.5}, {"a", 0, 0.25}, {"b", 1, -2}}
		if err != nil || !reflect.DeepEqual(r.Predictions, want) {
			t.Errorf("%s: %v, %v", in.DType, r.Predictions, err)
		}
	}
}

// Every one of the 65536 halves is converted by the definition of IEEE 754.
func TestHalf(t *testing.T) {
	for i := range 1 << 16 {
		sign, exponent, fraction := 1.0, i>>10&31, float64(i&1023)
		if i>>15 == 1 {
			sign = -1
		}
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = sign * math.Ldexp(fraction, -24)
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			want = math.NaN()
		}
		if got := float64(half(uint16(i))); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("%#04x: got %v, want %v", i, got, want)
		}
	}
}

func TestClassifyLabels(t *testing.T) {
	out := []tensor.Tensor{fp32("y", []int64{1, 4}, []float32{4, 3, 2, 1})}
	r, err := classifier("none", 4, "cat", "", "dog").Run(out, tensor.Frame{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"cat", "1", "dog", "3"} { // an empty label and one too few: numbers
		if r.Predictions[i].Label != want {
			t.Errorf("%d: %q", i, r.Predictions[i].Label)
		}
	}
	r, err = classifier("sigmoid", 4, "no", "yes").Run([]tensor.Tensor{fp32("y", []int64{1, 1}, []float32{0})}, tensor.Frame{}, Options{})
	if err != nil || !reflect.DeepEqual(r.Predictions, []Prediction{{"no", 0, 0.5}, {"yes", 1, 0.5}}) {
		t.Errorf("binary: %v, %v", r.Predictions, err)
	}
}

func TestClassifyRefuses(t *testing.T) {
	ok := fp32("y", []int64{1, 2}, []float32{1, 2})
	for name, outputs := range map[string][]tensor.Tensor{
		"none":        nil,
		"other name":  {fp32("z", []int64{1, 2}, []float32{1, 2})},
		"batch of 2":  {fp32("y", []int64{2, 2}, []float32{1, 2, 3, 4})},
		"too short":   {{Name: "y", DType: tensor.FP32, Shape: []int64{1, 3}, Data: ok.Data}},
		"empty":       {fp32("y", []int64{1, 0}, nil)},
		"integers":    {{Name: "y", DType: tensor.Int64, Shape: []int64{1}, Data: make([]byte, 8)}},
		"no type":     {{Name: "y", Shape: []int64{1}, Data: make([]byte, 8)}},
		"negative":    {{Name: "y", DType: tensor.FP32, Shape: []int64{-1, -2}, Data: ok.Data}},
		"only NaN":    {fp32("y", []int64{2}, []float32{nan32(), nan32()})},
		"overflowing": {{Name: "y", DType: tensor.FP32, Shape: []int64{1 << 40, 1 << 40}, Data: ok.Data}},
	} {
		_, err := classifier("softmax", 5).Run(outputs, tensor.Frame{}, Options{})
		wantContract(t, name, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spec := range map[string]*task.Spec{
		"nil": nil, "no task": {}, "another task": {Task: "image-to-text"},
		"no head": {Task: task.ObjectDetection}, "unknown head": {Task: task.ObjectDetection, Output: task.Output{Head: "ssd"}},
	} {
		if _, err := New(spec, nil); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}
