package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// TestFilesThatChangeWhileTheyAreLoaded: what was loaded meanwhile never serves, and what is there in the end does.
func TestFilesThatChangeWhileTheyAreLoaded(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	var mixed *fake
	e := startFake(t, dir, func(model []byte, o ort.Options) (session, error) {
		s, err := openFake(model, o)
		if model[0] == 2 {
			mixed = s.(*fake)
			put(t, dir, "m/1/model.onnx", []byte{3})
		}
		return s, err
	})
	served := map[byte]bool{}
	put(t, dir, "m/1/model.onnx", []byte{2})
	for !served[3] {
		served[answerOf(t, e, "m", "1")] = true
	}
	if !reflect.DeepEqual(served, map[byte]bool{1: true, 3: true}) {
		t.Errorf("these served: %v", served)
	}
	select {
	case <-mixed.closed:
	default:
		t.Error("the session that never served was not freed")
	}
}

// TestFirstLoadOfChangingFiles: until the files settle, the model is being loaded, not broken.
func TestFirstLoadOfChangingFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := newEngine(Config{Repository: dir, Threads: 1, Log: quiet}, func(model []byte, o ort.Options) (session, error) {
		put(t, dir, "m/1/more.bin", model)
		return openFake(model, o)
	})
	defer e.Close()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	list, err := e.Index(t.Context())
	if err != nil || len(list) != 1 || list[0].State != backend.Loading || list[0].Reason == "" || list[0].Epoch != "" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestKindsOfModelsThatAreNotRun(t *testing.T) {
	for config, want := range map[string]string{
		`platform: "ensemble" ensemble_scheduling { step { model_name: "a" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } }
		 input { name: "x" data_type: TYPE_FP32 dims: [1] } output { name: "y" data_type: TYPE_FP32 dims: [1] }`: "ensembles are not run",
		`model_transaction_policy { decoupled: true }`: "decoupled models are not run",
		`platform: "tensorrt_plan"`:                    `"tensorrt_plan" is not run`,
		`name: "other"`:                                "must be the folder's name",
		`no_such_field: 1`:                             "no_such_field",
		`parameters { key: "intra_op_thread_count" value { string_value: "many" } }`: "intra_op_thread_count is \"many\"",
		`version_policy { specific { versions: [7] } }`:                              "at least one version must be available",
	} {
		dir := t.TempDir()
		put(t, dir, "m/1/model.onnx", []byte{1})
		put(t, dir, "m/config.pbtxt", []byte(config))
		e := startFake(t, dir, openFake)
		list, err := e.Index(t.Context())
		if err != nil || len(list) != 1 || list[0].State != backend.Unavailable || !strings.Contains(list[0].Reason, want) {
			t.Errorf("%q: %+v %v", want, list, err)
		}
	}
}

func TestOtherFilename(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/net/weights.onnx", []byte{5})
	put(t, dir, "m/config.pbtxt", []byte(`default_model_filename: "net/weights.onnx"`))
	var folder string
	e := startFake(t, dir, func(model []byte, o ort.Options) (session, error) {
		folder = o.Folder
		return openFake(model, o)
	})
	if got := answerOf(t, e, "m", "1"); got != 5 || folder != "" {
		t.Errorf("answers %d, other files in %q", got, folder)
	}
	put(t, dir, "m/1/net/deep/more.bin", []byte{1})
	first := status(t, e, "m", "1", isReady).Epoch
	status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != first })
	if folder != filepath.Join(dir, "m", "1") {
		t.Errorf("other files in %q", folder)
	}
}

func TestReadVersion(t *testing.T) {
	dir := t.TempDir()
	epochs := map[string]string{}
	check := func(what string, config []byte) {
		t.Helper()
		f, err := readVersion(dir, "", config)
		if err != nil || !bytes.Equal(f.model, []byte("model")) {
			t.Fatalf("%s: %+v %v", what, f, err)
		}
		for other, epoch := range epochs {
			if epoch == f.epoch {
				t.Errorf("%s has the epoch of %s", what, other)
			}
		}
		epochs[what] = f.epoch
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("model.onnx", "model")
	check("the model alone", nil)
	check("another config", []byte("max_batch_size: 1"))
	check("a config of the same length", []byte("max_batch_size: 2"))
	write("a", "xy")
	check("another file", nil)
	write("a", "x")
	write("b", "y")
	check("the same bytes in two files", nil)
	if err := os.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	check("another name", nil)

	huge, err := os.Create(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if err := huge.Truncate(maxModel + 1); err != nil { // a hole: it takes no room
		t.Skip(err)
	}
	huge.Close()
	if _, err := readVersion(dir, "", nil); err == nil || !strings.Contains(err.Error(), "ends at 2 GiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestComplete(t *testing.T) {
	known := ort.Value{Name: "x", DType: tensor.FP32, Ranked: true, Dims: []int64{-1, 2}}
	shapeless := ort.Value{Name: "y", DType: tensor.FP32}
	graph := ort.Graph{Inputs: []ort.Value{known}, Outputs: []ort.Value{shapeless}}
	if _, err := complete(&modelconfig.Config{Name: "m"}, graph); err == nil || !strings.Contains(err.Error(), `output "y" has no shape`) {
		t.Errorf("%v", err)
	}
	for _, batch := range []int{0, 8} {
		config := &modelconfig.Config{Name: "m", MaxBatchSize: batch, Inputs: []modelconfig.IO{{Name: "x", DType: tensor.FP32, Dims: []int64{-1, 2}[min(batch, 1):]}},
			Outputs: []modelconfig.IO{{Name: "y", DType: tensor.FP32, Dims: []int64{7}, Reshape: []int64{7, 1}}}}
		c, err := complete(config, graph)
		if err != nil || c.MaxBatchSize != batch || !reflect.DeepEqual(c.Outputs, config.Outputs) || c == config {
			t.Errorf("max_batch_size %d: %+v %v", batch, c, err)
		}
	}
}

func TestShortTexts(t *testing.T) {
	if got := short(errBroken); got != "broken model" {
		t.Errorf("%q", got)
	}
	if got := short(&os.PathError{Op: strings.Repeat("x", 1000), Err: errBroken}); len(got) > 320 || !strings.HasSuffix(got, "...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// A Triton that serves the same folder writes it beside its Python models.
func TestBytecodeIsNoPartOfAModel(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	before, err := readVersion(filepath.Join(dir, "m", "1"), "", nil)
	look := lookAt(filepath.Join(dir, "m")).all
	put(t, dir, "m/1/__pycache__/model.cpython-311.pyc", []byte{2})
	after, again := readVersion(filepath.Join(dir, "m", "1"), "", nil)
	if err != nil || again != nil || before.epoch != after.epoch || lookAt(filepath.Join(dir, "m")).all != look {
		t.Errorf("%v %v, %s and then %s", err, again, before.epoch, after.epoch)
	}
}
