//go:build cgo

package embedded

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

func start(tb testing.TB, repository string) *Engine {
	tb.Helper()
	e, err := New(Config{Repository: repository, Library: parts.ONNXRuntime(tb), Interval: 5 * time.Millisecond, Log: quiet})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

func TestEngineCompletesConfigs(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "add/1/model.onnx", read(t, "add1.onnx"))
	put(t, dir, "types/1/model.onnx", read(t, "types.onnx"))
	put(t, dir, "types/config.pbtxt", []byte("max_batch_size: 2"))
	put(t, dir, "wrong/1/model.onnx", read(t, "add1.onnx"))
	put(t, dir, "wrong/config.pbtxt", []byte(`max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [5] } output { name: "y" data_type: TYPE_FP32 dims: [4] }`))
	e := start(t, dir)
	c, err := e.Config(t.Context(), "add")
	if err != nil {
		t.Fatal(err)
	}
	io := func(name string) []modelconfig.IO {
		return []modelconfig.IO{{Name: name, DType: tensor.FP32, Dims: []int64{4}}}
	}
	if c.MaxBatchSize != 4 || !reflect.DeepEqual(c.Inputs, io("x")) || !reflect.DeepEqual(c.Outputs, io("y")) || c.Backend != "onnxruntime" {
		t.Errorf("%+v", c)
	}
	if c, err := e.Config(t.Context(), "types"); err != nil || len(c.Inputs) != 14 || c.Output("out_fp16").DType != tensor.FP16 || c.MaxBatchSize != 2 {
		t.Errorf("%+v %v", c, err)
	}
	s := status(t, e, "wrong", "1", func(s *backend.ModelStatus) bool { return s != nil })
	if s.State != backend.Unavailable || !strings.Contains(s.Reason, `input "x"`) {
		t.Errorf("%+v", s)
	}
	if path, version := e.Library(); !filepath.IsAbs(path) || !strings.HasPrefix(version, "1.") {
		t.Errorf("library %q %q", path, version)
	}
}

func TestEngineRunsWhatIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "pair/1/model.onnx", read(t, "pair.onnx"))
	e := start(t, dir)
	a, b := floats("a", []int64{2, 2}, 1, 2, 3, 4), floats("b", []int64{2, 2}, 10, 20, 30, 40)
	sum, difference := floats("sum", []int64{2, 2}, 11, 22, 33, 44), floats("difference", []int64{2, 2}, -9, -18, -27, -36)
	for _, c := range []struct {
		outputs []backend.Output
		want    []tensor.Tensor
	}{{nil, []tensor.Tensor{difference, sum}}, {[]backend.Output{{Name: "sum"}}, []tensor.Tensor{sum}}, {[]backend.Output{{Name: "sum"}, {Name: "sum"}}, []tensor.Tensor{sum}}} {
		r := ask("pair", "1", b, a) // not in the model's order
		r.Outputs = c.outputs
		got, err := e.Infer(t.Context(), r)
		if err != nil || !reflect.DeepEqual(got.Outputs, c.want) || got.Version != "1" {
			t.Errorf("%v: %+v %v", c.outputs, got, err)
		}
	}
	three := floats("b", []int64{3, 2}, 1, 2, 3, 4, 5, 6)
	if _, err := e.Infer(t.Context(), ask("pair", "1", a, three)); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "does not match other inputs") {
		t.Errorf("two batch sizes: %v", err)
	}
}

func TestEngineReshapes(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "flat/1/model.onnx", read(t, "flat.onnx"))
	put(t, dir, "flat/config.pbtxt", []byte(`max_batch_size: 8
		input { name: "x" data_type: TYPE_FP32 dims: [2, 2] reshape { shape: [4] } }
		output { name: "y" data_type: TYPE_FP32 dims: [4, 1] reshape { shape: [4] } }`))
	e := start(t, dir)
	got, err := e.Infer(t.Context(), ask("flat", "1", floats("x", []int64{1, 2, 2}, 1, 2, 3, 4)))
	if want := floats("y", []int64{1, 4, 1}, 1, 4, 9, 16); err != nil || !reflect.DeepEqual(got.Outputs, []tensor.Tensor{want}) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestEngineSeesBrokenPromises(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "collapse/1/model.onnx", read(t, "collapse.onnx"))
	put(t, dir, "collapse/config.pbtxt", []byte(`max_batch_size: 8`))
	e := start(t, dir)
	if _, err := e.Infer(t.Context(), ask("collapse", "1", floats("x", []int64{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8))); fault.KindOf(err) != fault.Contract {
		t.Errorf("one row for a batch of two: %v", err)
	}
}

func TestEngineStopsAtTheDeadline(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "loop/1/model.onnx", read(t, "loop.onnx"))
	e := start(t, dir)
	forever := tensor.Tensor{Name: "count", DType: tensor.Int64, Shape: []int64{1}, Data: []byte{0, 0, 0, 0, 0, 0, 0, 64}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Infer(ctx, ask("loop", "1", forever)); fault.KindOf(err) != fault.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	forever.Data = []byte{3, 0, 0, 0, 0, 0, 0, 0}
	got, err := e.Infer(t.Context(), ask("loop", "1", forever))
	if err != nil || !reflect.DeepEqual(got.Outputs, []tensor.Tensor{floats("y", []int64{1}, 3)}) {
		t.Errorf("after a stopped run: %+v %v", got, err)
	}
}

func TestEngineLoadsWeightsInAnotherFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "external/1/model.onnx", read(t, "external/model.onnx"))
	put(t, dir, "external/1/weights.bin", read(t, "external/weights.bin"))
	e := start(t, dir)
	in := floats("x", []int64{1, 4}, 0, 0, 0, 0)
	first, err := e.Infer(t.Context(), ask("external", "1", in))
	if err != nil || !reflect.DeepEqual(first.Outputs[0].Data, read(t, "external/weights.bin")) {
		t.Fatalf("%+v %v", first, err)
	}
	weights := floats("", nil, 5, 6, 7, 8).Data
	put(t, dir, "external/1/weights.bin", weights)
	status(t, e, "external", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != first.Epoch })
	second, err := e.Infer(t.Context(), ask("external", "1", in))
	if err != nil || !reflect.DeepEqual(second.Outputs[0].Data, weights) {
		t.Errorf("%+v %v", second, err)
	}
}

// TestEngineReloadsUnderFire: real sessions are swapped and freed while others run on them.
func TestEngineReloadsUnderFire(t *testing.T) {
	dir := t.TempDir()
	models := [2][]byte{read(t, "add1.onnx"), read(t, "add10.onnx")}
	put(t, dir, "add/1/model.onnx", models[0])
	e := start(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[string][]byte{}
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := e.Infer(t.Context(), ask("add", "1", floats("x", []int64{1, 4}, 0, 0, 0, 0)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if was, ok := answers[r.Epoch]; ok && !reflect.DeepEqual(was, r.Outputs[0].Data) {
					t.Errorf("epoch %s gave two answers", r.Epoch)
				}
				answers[r.Epoch] = r.Outputs[0].Data
				mu.Unlock()
			}
		})
	}
	epoch := status(t, e, "add", "1", isReady).Epoch
	for n := 1; n < 8; n++ {
		put(t, dir, "add/1/model.onnx", models[n%2])
		epoch = status(t, e, "add", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != epoch }).Epoch
	}
	cancel()
	wg.Wait()
	if len(answers) != 2 {
		t.Errorf("%d epochs were seen, want 2", len(answers))
	}
}

func TestEngineServesShapelessOutputs(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "shapeless/1/model.onnx", read(t, "shapeless.onnx"))
	put(t, dir, "shapeless/config.pbtxt", []byte(`max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [2] } output { name: "y" data_type: TYPE_FP32 dims: [2] }`))
	e := start(t, dir)
	got, err := e.Infer(t.Context(), ask("shapeless", "1", floats("x", []int64{1, 2}, 1, -2)))
	if want := floats("y", []int64{1, 2}, -1, 2); err != nil || !reflect.DeepEqual(got.Outputs, []tensor.Tensor{want}) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestEngineReportsFailingModels(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "failing/1/model.onnx", read(t, "failing.onnx"))
	e := start(t, dir)
	_, err := e.Infer(t.Context(), ask("failing", "1", floats("x", []int64{1, 2}, 1, 2)))
	if fault.KindOf(err) != fault.Upstream || !strings.Contains(err.Error(), "out of data bounds") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

func TestEngineRefusesElementsThatCPlusPlusCannotHold(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "types/1/model.onnx", read(t, "types.onnx"))
	e := start(t, dir)
	r := ask("types", "1")
	c, err := e.Config(t.Context(), "types")
	if err != nil {
		t.Fatal(err)
	}
	for _, io := range c.Inputs {
		in := tensor.Tensor{Name: io.Name, DType: io.DType, Shape: []int64{1, 1}, Data: make([]byte, io.DType.Size())}
		switch io.DType {
		case tensor.Bool:
			in.Data[0] = 2
		case tensor.Bytes:
			in.Data = make([]byte, 4) // one empty text
		}
		r.Inputs = append(r.Inputs, in)
	}
	if _, err := e.Infer(t.Context(), r); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "BOOL element 0 is 2") {
		t.Errorf("%v", err)
	}
}

func TestEngineWithoutLibrary(t *testing.T) {
	_, err := New(Config{Repository: t.TempDir(), Library: "/nowhere/libonnxruntime.so", Log: quiet})
	if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, ort.ErrNoLibrary) {
		t.Errorf("%v", err)
	}
}

func TestEngineRunsTheDemoModels(t *testing.T) {
	e := start(t, filepath.Join(parts.Root(t), "model_repository"))
	list, err := e.Index(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("%v %v", list, err)
	}
	for _, s := range list {
		if s.State != backend.Ready {
			t.Errorf("%+v", s)
			continue
		}
		c, err := e.Config(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		r := ask(s.Name, s.Version)
		for _, io := range c.Inputs {
			shape := append([]int64{2}, io.Dims...)
			n, _ := tensor.Elements(shape)
			r.Inputs = append(r.Inputs, tensor.Tensor{Name: io.Name, DType: io.DType, Shape: shape, Data: make([]byte, n*int64(io.DType.Size()))})
		}
		if c.Decoupled { // see generate_test.go
			continue
		}
		got, err := e.Infer(t.Context(), r)
		if err != nil || len(got.Outputs) != len(c.Outputs) || got.Epoch != s.Epoch {
			t.Errorf("%s/%s: %v %v", s.Name, s.Version, got, err)
		}
	}
}
