package backend

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// config reads a config of model m.
func config(tb testing.TB, text string) *modelconfig.Config {
	tb.Helper()
	c, err := modelconfig.Parse("m", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func in(name string, d tensor.DType, shape []int64, data string) tensor.Tensor {
	return tensor.Tensor{Name: name, DType: d, Shape: shape, Data: []byte(data)}
}

func zeros(name string, shape ...int64) tensor.Tensor {
	n, _ := tensor.Elements(shape)
	return tensor.Tensor{Name: name, DType: tensor.FP32, Shape: shape, Data: make([]byte, 4*n)}
}

func of(inputs ...tensor.Tensor) *Request { return &Request{Model: "m", Version: "1", Inputs: inputs} }

func wants(outputs ...Output) *Request {
	r := of(zeros("x", 1, 4))
	r.Outputs = outputs
	return r
}

// The models that the cases below are about.
const (
	batched = `max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [4] }
		output { name: "y" data_type: TYPE_FP32 dims: [4] } output { name: "text" data_type: TYPE_STRING dims: [1] } output { name: "half" data_type: TYPE_FP16 dims: [1] }`
	pair     = `max_batch_size: 8 input { name: "a" data_type: TYPE_FP32 dims: [-1, 2] } input { name: "b" data_type: TYPE_FP32 dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`
	loose    = `input { name: "x" data_type: TYPE_FP32 dims: [-1, 2] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`
	text     = `max_batch_size: 2 input { name: "s" data_type: TYPE_STRING dims: [2] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`
	optional = `max_batch_size: 8 input { name: "a" data_type: TYPE_FP32 dims: [1] } input { name: "b" data_type: TYPE_FP32 dims: [1] optional: true }
		input { name: "c" data_type: TYPE_FP32 dims: [1] optional: true } output { name: "y" data_type: TYPE_FP32 dims: [1] }`
)

// refusals are requests that Triton refuses, with its words; TestTritonSaysTheSame asks one. A prefix with the request's id comes before those
// that begin with a dot.
var refusals = []struct {
	config  string
	request *Request
	want    string
}{
	{batched, of(), ".expected 1 inputs but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) ['x']. Please provide all required input(s)."},
	{batched, of(zeros("z", 1, 4)), "unexpected inference input 'z' for model 'm'"},
	{batched, of(zeros("x", 1, 4), zeros("x", 1, 4)), ".input 'x' already exists in request"},
	{batched, of(zeros("z", 1, 4), zeros("z", 1, 4)), ".input 'z' already exists in request"},
	{batched, of(in("x", tensor.Int32, []int64{1, 4}, "0123456789abcdef")), ".inference input 'x' data-type is 'INT32', but model 'm' expects 'FP32'"},
	{batched, of(zeros("x", 9, 4)), ".inference request batch-size must be <= 8 for 'm'"},
	{batched, of(in("x", tensor.FP32, nil, "0123")), ".input 'x' has no shape but model requires batch dimension for 'm'"},
	{batched, of(zeros("x", 1, 5)), ".unexpected shape for input 'x' for model 'm'. Expected [-1,4], got [1,5]. NOTE: Setting a non-zero max_batch_size in the model config requires a " +
		"batch dimension to be prepended to each input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting max_batch_size to zero. " +
		"See the model configuration docs for more info on max_batch_size."},
	{batched, of(in("x", tensor.FP32, []int64{1, 4}, "0123456789abcde")), ".input byte size mismatch for input 'x' for model 'm'. Expected 16, got 15"},
	{batched, of(in("x", tensor.FP32, []int64{1, -1}, "0123456789abcdef")), ".All input dimensions should be specified for input 'x' for model 'm', got [1,-1]"},
	{batched, wants(Output{Name: "z"}), "unexpected inference output 'z' for model 'm'"},
	{batched, wants(Output{Name: "y", Classes: -1}), "invalid value for 'classification' parameter, expected >= 0"},
	{batched, wants(Output{Name: "half", Classes: 2}), "class result not available for output due to unsupported type 'FP16'"},
	{pair, of(zeros("a", 1, 3, 2)), ".expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['a'], but missing required input(s) ['b']. Please provide all required input(s)."},
	{pair, of(zeros("a", 1, 3, 2), zeros("a", 1, 3, 2)), ".input 'a' already exists in request"},
	{loose, of(zeros("x", 3)), ".unexpected shape for input 'x' for model 'm'. Expected [-1,2], got [3]. "},
	{loose, of(zeros("x", 3, 3)), ".unexpected shape for input 'x' for model 'm'. Expected [-1,2], got [3,3]. "},
	{text, of(in("s", tensor.Bytes, []int64{1, 2}, "\x01\x00\x00\x00a")), ".expected 2 string elements for inference input 's' for model 'm', got 1"},
	{text, of(in("s", tensor.Bytes, []int64{1, 2}, strings.Repeat("\x01\x00\x00\x00a", 3))), ".unexpected number of string elements 3 for inference input 's' for model 'm', expecting 2"},
	{text, of(in("s", tensor.Bytes, []int64{1, 2}, "\x01\x00\x00\x00a\x01\x00")), ".incomplete string length indicator for inference input 's' for model 'm', expecting 4 bytes " +
		"but only 2 bytes available. Please make sure the string length indicator is in one buffer."},
	{optional, of(), ".expected number of inputs between 1 and 3 but got 0 inputs for model 'm'. Got input(s) [], but missing required input(s) ['a']. Please provide all required input(s)."},
	{optional, of(zeros("a", 1, 1), zeros("b", 1, 1), zeros("b", 1, 1)), ".input 'b' already exists in request"},
}

// beyond are requests that Triton takes, or refuses in words that lead astray.
var beyond = []struct {
	config  string
	request *Request
	want    string
}{
	// A Triton 2.51 divides by the size of an element of BYTES, which is 0, and dies of it.
	{batched, wants(Output{Name: "text", Classes: 2}), "class result not available for output due to unsupported type 'BYTES'"},
	{batched, of(zeros("x", 0, 4)), "input 'x' has batch size 0; inference request batch-size must be >= 1 for 'm'"},
	{batched, of(in("x", tensor.FP32, []int64{-1, 4}, "")), "has batch size -1"},
	{batched, of(zeros("x", 1, 4), zeros("z", 1, 4)), "expected 1 inputs but got 2 inputs for model 'm'. Got input(s) ['x','z'], but missing required input(s) []"},
	{batched, wants(make([]Output, 257)...), "257 outputs are asked for; at most 256 can be"},
	{pair, of(zeros("a", 2, 3, 2), zeros("b", 1, 1)), "input 'b' batch size does not match other inputs for 'm'"}, // Triton names either
	{pair, of(in("a", tensor.FP32, []int64{1, math.MaxInt64, 2}, ""), zeros("b", 1, 1)), "too many elements"},
	{pair, of(in("a", tensor.FP32, []int64{1, math.MaxInt64 / 2, 2}, ""), zeros("b", 1, 1)), "has too many bytes"},
	{pair, of(in("a", tensor.FP32, []int64{1, -3, 2}, ""), zeros("b", 1, 1)), "got [1,-3,2]"},
	{text, of(in("s", tensor.Bytes, []int64{1, 2}, "\x01\x00\x00\x00a\x09\x00\x00\x00b")), "string element 1 of inference input 's' for model 'm' claims 9 bytes, 1 are left"},
	{optional, of(zeros("b", 1, 1)), "expected number of inputs between 1 and 3 but got 1 inputs for model 'm'. Got input(s) ['b'], but missing required input(s) ['a']"},
	{optional, of(zeros("b", 1, 1), zeros("z", 1, 1)), "unexpected inference input 'z'"},
}

func TestCheckRefusesInTritonsWords(t *testing.T) {
	for _, c := range refusals {
		want, prefixed := strings.CutPrefix(c.want, ".")
		for _, id := range []string{"", "42"} {
			c.request.ID = id
			err := Check(config(t, c.config), c.request)
			full := want
			if prefixed && id == "" {
				full = "[request id: <id_unknown>] " + want
			} else if prefixed {
				full = "[request id: 42] " + want
			}
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != "invalid_request" || f.Detail != full {
				t.Errorf("%+v: got %v, want %s", c.request, err, full)
			} else if len(f.Fields) != 1 || !strings.HasPrefix(f.Fields[0].Location, "inputs.") && !strings.HasPrefix(f.Fields[0].Location, "outputs.") {
				t.Errorf("%s: the place is missing: %+v", full, f.Fields)
			}
		}
		c.request.ID = ""
	}
	for _, c := range beyond {
		if err := Check(config(t, c.config), c.request); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.request, err, c.want)
		}
	}
}

func TestCheckLetsPass(t *testing.T) {
	many := `max_batch_size: 2 output { name: "y" data_type: TYPE_FP32 dims: [1] }`
	var inputs []tensor.Tensor
	for i := range 300 {
		many += ` input { name: "i` + strconv.Itoa(i) + `" data_type: TYPE_FP32 dims: [1] optional: true }`
		inputs = append(inputs, zeros("i"+strconv.Itoa(i), 2, 1))
	}
	slices.Reverse(inputs)
	for i, c := range []struct {
		config  string
		request *Request
	}{
		{batched, of(zeros("x", 1, 4))},
		{batched, of(zeros("x", 8, 4))},
		{batched, wants(Output{Name: "y", Classes: 1 << 40}, Output{Name: "y"}, Output{Name: "text"})},
		{pair, of(zeros("b", 2, 1), zeros("a", 2, 5, 2))},
		{pair, of(zeros("a", 2, 0, 2), zeros("b", 2, 1))},
		{loose, of(zeros("x", 0, 2))},
		{text, of(in("s", tensor.Bytes, []int64{1, 2}, "\x00\x00\x00\x00\x01\x00\x00\x00a"))},
		{optional, of(zeros("c", 1, 1), zeros("a", 1, 1))},
		{many, of(inputs...)},
		// Reshapes and ragged batches are the model's business, and so are the control inputs of sequences.
		{`max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [2, 2] reshape { shape: [4] } } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, of(zeros("x", 1, 2, 2))},
		{`max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [-1] allow_ragged_batch: true } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, of(zeros("x", 1, 7))},
		{`max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }
			sequence_batching { control_input { name: "START" control { int32_false_true: [0, 1] } } }`, of(zeros("x", 1, 1))},
		{`max_batch_size: 4 input { name: "x" data_type: TYPE_FP32 dims: [1] } input { name: "shape" data_type: TYPE_FP32 dims: [2] is_shape_tensor: true }
			output { name: "y" data_type: TYPE_FP32 dims: [1] }`, of(zeros("shape", 2), zeros("x", 3, 1))},
		{`max_batch_size: 4 input { name: "x" data_type: TYPE_FP16 dims: [3, 2, 2] is_non_linear_format_io: true } output { name: "y" data_type: TYPE_FP32 dims: [1] }`,
			of(in("x", tensor.FP16, []int64{1, 3, 2, 2}, strings.Repeat("x", 32)))},
	} {
		if err := Check(config(t, c.config), c.request); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := Check(nil, of(zeros("any", 3))); err != nil {
		t.Error(err)
	}
	if err := Check(nil, of(in("any", tensor.FP32, []int64{1}, "12345"))); fault.KindOf(err) != fault.Invalid {
		t.Errorf("without a config, bytes are still counted: %v", err)
	}
}

func TestBatch(t *testing.T) {
	for text, want := range map[string]int64{batched: 3, strings.Replace(batched, "max_batch_size: 8", "", 1): 0} {
		if got := Batch(config(t, text), of(zeros("x", 3, 4))); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// TestManyInputsCostLittle: names by the thousand are refused, without comparing each with each.
func TestManyInputsCostLittle(t *testing.T) {
	var inputs []tensor.Tensor
	for i := range 100_000 {
		inputs = append(inputs, zeros(strconv.Itoa(i), 1, 4))
	}
	if err := Check(config(t, batched), of(inputs...)); fault.KindOf(err) != fault.Invalid || len(err.Error()) > 1000 {
		t.Errorf("%d bytes: %.200v", len(err.Error()), err)
	}
}

// fitting are requests that pass.
var fitting = map[string]struct {
	config  string
	request *Request
}{
	"one input":               {batched, of(zeros("x", 1, 4))},
	"two inputs, one output":  {pair, &Request{Model: "m", Inputs: []tensor.Tensor{zeros("b", 2, 1), zeros("a", 2, 5, 2)}, Outputs: []Output{{Name: "y"}}}},
	"optional inputs":         {optional, of(zeros("a", 1, 1), zeros("c", 1, 1))},
	"a picture of 602 112 B":  {`max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [3, 224, 224] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`, of(zeros("x", 1, 3, 224, 224))},
	"two texts":               {text, of(in("s", tensor.Bytes, []int64{1, 2}, "\x00\x00\x00\x00\x01\x00\x00\x00a"))},
	"an output with a number": {batched, wants(Output{Name: "y", Classes: 3})},
}

func TestCheckDoesNotAllocate(t *testing.T) {
	for name, c := range fitting {
		config := config(t, c.config)
		if n := testing.AllocsPerRun(100, func() { _ = Check(config, c.request) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, c := range fitting {
		config := config(b, c.config)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(config, c.request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzCheck: whatever comes, Check does not panic, and what it lets pass is what the config says, with bytes that are whole.
func FuzzCheck(f *testing.F) {
	f.Add("x", int64(1), int64(4), int64(2), uint8(tensor.FP32), []byte("0123456789abcdef"), "y", int64(0))
	f.Add("s", int64(1)<<62, int64(-1), int64(0), uint8(tensor.Bytes), []byte{1, 0, 0, 0, 65}, "text", int64(3))
	f.Add("a", int64(math.MaxInt64), int64(1)<<62, int64(2), uint8(200), []byte{}, "half", int64(-1))
	var configs []*modelconfig.Config
	for _, text := range []string{batched, pair, loose, text, optional} {
		configs = append(configs, config(f, text))
	}
	f.Fuzz(func(t *testing.T, name string, a, b, c int64, dtype uint8, data []byte, output string, classes int64) {
		for _, shape := range [][]int64{nil, {a}, {a, b}, {a, b, c}} {
			one := tensor.Tensor{Name: name, DType: tensor.DType(dtype), Shape: shape, Data: data}
			for _, inputs := range [][]tensor.Tensor{{one}, {one, one}, {zeros("a", 1, 1), one}, {zeros("a", a&7, 3, 2), one}} {
				for _, config := range configs {
					r := of(inputs...)
					if output != "" {
						r.Outputs = []Output{{Name: output, Classes: classes}}
					}
					if err := Check(config, r); err != nil {
						if fault.KindOf(err) != fault.Invalid {
							t.Fatal(err)
						}
						continue
					}
					for i := range r.Inputs {
						io := config.Input(r.Inputs[i].Name)
						if err := r.Inputs[i].Validate(); err != nil || io == nil || io.DType != r.Inputs[i].DType {
							t.Fatalf("let through: %+v: %v", r.Inputs[i], err)
						}
					}
					if n := Batch(config, r); n < 0 || n > int64(config.MaxBatchSize) {
						t.Fatalf("a batch of %d of %+v", n, r)
					}
				}
			}
		}
	})
}
