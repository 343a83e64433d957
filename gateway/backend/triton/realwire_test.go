package triton

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

func number(name string, n int32) tensor.Tensor {
	return tensor.Tensor{Name: name, DType: tensor.Int32, Shape: []int64{1}, Data: binary.LittleEndian.AppendUint32(nil, uint32(n))}
}

func counting(n int32) *backend.Request {
	return &backend.Request{Model: "countdown", Version: "1", ID: "r1", Inputs: []tensor.Tensor{number("IN", n)}}
}

// TestRealStream: a model in Python counts down; for -n it fails after n, from 1000 on it is slow and flags its last answer.
func TestRealStream(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	empty := map[string]any{enableEmpty: true}
	for _, x := range []struct {
		n      int32
		params map[string]any
		want   []string
	}{{3, nil, []string{"3", "2", "1"}}, {2, empty, []string{"2", "1", "-."}}, {0, nil, nil}, {0, empty, []string{"-."}}, {1002, nil, []string{"2", "1."}}, {1002, empty, []string{"2", "1."}}} {
		r := counting(x.n)
		r.Params = x.params
		got, err := streamed(t.Context(), c, r)
		if err != nil || !slices.Equal(got, x.want) {
			t.Errorf("%d %v: got %q, %v; want %q", x.n, x.params, got, err, x.want)
		}
	}
	got, err := streamed(t.Context(), c, counting(-2))
	if f := wantFault(t, err, fault.Upstream, "upstream_error"); !slices.Equal(got, []string{"2", "1"}) || !strings.Contains(f.Error(), "the count failed") {
		t.Errorf("got %q, %v", got, err)
	}
	words := floats("IN", 1, 2, 3)
	words.Shape = []int64{1, 3}
	got, err = streamed(t.Context(), c, &backend.Request{Model: "words", Version: "1", Inputs: []tensor.Tensor{words}, Outputs: []backend.Output{{Name: "OUT"}}})
	if err != nil || len(got) != 1 || !strings.HasSuffix(got[0], ".") {
		t.Errorf("a model that is not decoupled: %q, %v", got, err)
	}
}

func TestRealStreamErrors(t *testing.T) {
	c := clientOf(t, real.Get(t).GRPC)
	if _, err := streamed(t.Context(), c, counting(0)); err != nil {
		t.Fatal(err)
	}
	wide := number("IN", 1)
	wide.Shape = []int64{1, 1}
	for name, x := range map[string]struct {
		change func(*backend.Request)
		kind   fault.Kind
		code   string
		text   string
	}{
		"version":  {func(r *backend.Request) { r.Version = "7" }, fault.NotFound, "version_not_found", ""},
		"datatype": {func(r *backend.Request) { r.Inputs = []tensor.Tensor{floats("IN", 1)} }, fault.Contract, "upstream_contract", "expects 'INT32'"},
		"shape":    {func(r *backend.Request) { r.Inputs = []tensor.Tensor{wide} }, fault.Contract, "upstream_contract", "Expected [1], got [1,1]"},
		"name":     {func(r *backend.Request) { r.Inputs[0].Name = "X" }, fault.Contract, "upstream_contract", "'X'"},
		"no input": {func(r *backend.Request) { r.Inputs = nil }, fault.Contract, "upstream_contract", "missing required input(s) ['IN']"},
		"output":   {func(r *backend.Request) { r.Outputs = []backend.Output{{Name: "zz"}} }, fault.Contract, "upstream_contract", "'zz'"},
		"param":    {func(r *backend.Request) { r.Params = map[string]any{"priority": "x"} }, fault.Contract, "upstream_contract", "'priority'"},
	} {
		r := counting(1)
		x.change(r)
		_, err := streamed(t.Context(), c, r)
		t.Log(name, err)
		f := wantFault(t, err, x.kind, x.code)
		var inner *fault.Error
		if x.text != "" && (!strings.Contains(f.Detail, x.text) || !errors.As(f.Err, &inner) || inner.Kind != fault.Invalid || !strings.Contains(inner.Detail, x.text)) {
			t.Errorf("%s: detail %q, want %q in it, and in an Invalid one within", name, f.Detail, x.text)
		}
	}
	var got []string
	for limit := 100 * time.Millisecond; len(got) == 0 && limit < 8*time.Second; limit *= 3 { // a busy machine needs a longer one; the whole count takes 10 s
		late, free := context.WithTimeout(t.Context(), limit)
		var err error
		got, err = streamed(late, c, counting(2000))
		free()
		wantFault(t, err, fault.Timeout, "deadline_exceeded")
	}
	if len(got) == 0 {
		t.Error("nothing came before the deadline")
	}
	if _, err := streamed(t.Context(), c, counting(1)); err != nil { // the model was told of it
		t.Error(err)
	}
}

func TestRealStatistics(t *testing.T) {
	server := real.Get(t)
	c := clientOf(t, server.GRPC)
	read := func() backend.Statistics {
		list, err := c.Statistics(t.Context(), "words", "1")
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	before := read()
	words := floats("IN", 1, 2, 3, 4, 5, 6)
	words.Shape = []int64{2, 3}
	must(t, c, &backend.Request{Model: "words", Version: "1", Inputs: []tensor.Tensor{words}})
	after := read()
	awaitTrue(t, func() bool { after = read(); return after.Success.Count > before.Success.Count })
	if after.Inferences-before.Inferences != 2 || after.Executions-before.Executions != 1 || after.ComputeInfer.Total <= before.ComputeInfer.Total {
		t.Errorf("%+v became %+v after a call of two", before, after)
	}
	if age := time.Since(after.LastInference); age < 0 || age > time.Minute {
		t.Errorf("the last inference was %v ago", age)
	}
	if !slices.ContainsFunc(after.Batches, func(b backend.BatchStatistics) bool { return b.Size == 2 && b.ComputeInfer.Count > 0 }) {
		t.Errorf("batches %+v", after.Batches)
	}
	all, err := c.Statistics(t.Context(), "", "")
	if err != nil || len(all) < 5 {
		t.Errorf("%d models, %v", len(all), err)
	}
	_, err = c.Statistics(t.Context(), "nosuch", "")
	wantFault(t, err, fault.NotFound, "model_not_found")
	_, err = c.Statistics(t.Context(), "words", "9")
	wantFault(t, err, fault.NotFound, "version_not_found")
}

func TestRealLoadAndUnload(t *testing.T) {
	server := parts.Triton(t, copied(t, "noop"), parts.WithModels())
	c := clientOf(t, server.GRPC)
	request := &backend.Request{Model: "noop", Version: "1", Inputs: []tensor.Tensor{floats("IN", 1)}}
	_, err := c.Infer(t.Context(), request)
	wantFault(t, err, fault.NotFound, "model_not_found")
	if err := c.Load(t.Context(), "noop", nil); err != nil {
		t.Fatal(err)
	}
	must(t, c, request)
	config := `{"backend":"python","max_batch_size":3,"input":[{"name":"IN","data_type":"TYPE_FP32","dims":[1]}],"output":[{"name":"OUT","data_type":"TYPE_FP32","dims":[1]}]}`
	model := "import triton_python_backend_utils as pb\nclass TritonPythonModel:\n  def execute(self, requests):\n" +
		"    return [pb.InferenceResponse([pb.Tensor('OUT', pb.get_input_tensor_by_name(r, 'IN').as_numpy() * 2)]) for r in requests]\n"
	if err := c.Load(t.Context(), "noop", map[string]any{"config": config, "file:1/model.py": []byte(model)}); err != nil {
		t.Fatal(err)
	}
	request.Inputs[0].Shape = []int64{1, 1}
	if got := must(t, c, request); !slices.Equal(got.Outputs[0].Data, floats("", 2).Data) {
		t.Errorf("the model that was sent along answers %x", got.Outputs[0].Data)
	}
	if got, err := c.Config(t.Context(), "noop"); err != nil || got.MaxBatchSize != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, x := range map[string]struct {
		model  string
		params map[string]any
		kind   fault.Kind
		text   string
	}{
		"unknown model":       {"nosuch", nil, fault.Upstream, "failed to load 'nosuch'"},
		"broken config":       {"noop", map[string]any{"config": "{ bad"}, fault.Upstream, "failed to load 'noop'"},
		"unknown parameter":   {"noop", map[string]any{"zz": "x"}, fault.Invalid, "unrecognized load parameter 'zz'"},
		"type of parameter":   {"noop", map[string]any{"config": []byte("x")}, fault.Invalid, "expected string_param"},
		"file without config": {"noop", map[string]any{"file:1/model.py": []byte("x")}, fault.Upstream, "failed to load 'noop'"},
	} {
		err := c.Load(t.Context(), x.model, x.params)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != x.kind || !strings.Contains(f.Detail, x.text) {
			t.Errorf("%s: %v, want kind %d with %q", name, err, x.kind, x.text)
		}
	}
	if err := c.Unload(t.Context(), "noop", true); err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool { // the old load ends its calls first
		_, err = c.Infer(t.Context(), request)
		return err != nil
	})
	wantFault(t, err, fault.Unavailable, "backend_unavailable") // an unloaded version is "not at ready state" to Triton
}

func TestRealLoadWhereModelsAreFixed(t *testing.T) {
	server := parts.Triton(t, copied(t, "noop"), parts.WithFixedModels(), parts.WithTritonArgs("--grpc-restricted-protocol=statistics:stats-key=secret"))
	c := clientOf(t, server.GRPC)
	f := wantFault(t, c.Load(t.Context(), "noop", nil), fault.Unsupported, "unsupported_model")
	if !strings.Contains(f.Detail, "explicit model load / unload is not allowed") || status.Code(f) != codes.Unavailable {
		t.Errorf("detail %q, %v", f.Detail, f)
	}
	wantFault(t, c.Unload(t.Context(), "noop", false), fault.Unsupported, "unsupported_model")
	_, err := c.Statistics(t.Context(), "", "")
	t.Log(err)
	if f := wantFault(t, err, fault.Upstream, "upstream_error"); !strings.Contains(f.Detail, "triton.headers") {
		t.Errorf("detail %q", f.Detail)
	}
}
