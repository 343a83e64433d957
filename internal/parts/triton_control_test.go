package parts

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// ownRepository is a copy of the test repository that the test may change.
func ownRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/repository")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// swap puts another version's file in the place of version 2 of scale, in one step, as a careful deployment does.
func swap(t *testing.T, repository string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "scale", "1", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(repository, "scale", "2", "model.onnx")
	if err := os.WriteFile(target+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(target+".new", target); err != nil {
		t.Fatal(err)
	}
}

func TestTritonReloadsUnderTheSameVersionOnRequest(t *testing.T) {
	repository := ownRepository(t)
	server := Triton(t, repository)
	if got := fmt.Sprint(infer(t, server, "scale", twoRows).Outputs[0].Data); got != quadruple {
		t.Fatalf("before: %s, want %s", got, quadruple)
	}
	swap(t, repository)
	if got := fmt.Sprint(infer(t, server, "scale", twoRows).Outputs[0].Data); got != quadruple {
		t.Errorf("it reloaded by itself: %s, want %s", got, quadruple)
	}
	if status, text := call(t, "POST", "http://"+server.HTTP+"/v2/repository/models/scale/load", "{}"); status != http.StatusOK {
		t.Fatalf("load: %d %s", status, text)
	}
	if a := infer(t, server, "scale", twoRows); fmt.Sprint(a.Outputs[0].Data) != doubled || a.Version != "2" {
		t.Errorf("after: version %s, %v, want version 2, %s", a.Version, a.Outputs[0].Data, doubled)
	}
}

func TestTritonPollsItsRepository(t *testing.T) {
	repository := ownRepository(t)
	server := Triton(t, repository, WithPolling(time.Second))
	infer(t, server, "scale", twoRows)
	swap(t, repository)
	for fmt.Sprint(infer(t, server, "scale", twoRows).Outputs[0].Data) != doubled {
		continue // until it has looked; if it never does, the time limit of the tests shows this line
	}
}

func TestTritonOptions(t *testing.T) {
	explicit := "--model-control-mode=explicit"
	for name, c := range map[string]struct {
		options       []TritonOption
		control, args []string
	}{
		"none":    {nil, []string{explicit, "--load-model=*"}, nil},
		"models":  {[]TritonOption{WithModels("a", "b")}, []string{explicit, "--load-model=a", "--load-model=b"}, nil},
		"empty":   {[]TritonOption{WithModels()}, []string{explicit}, nil},
		"fixed":   {[]TritonOption{WithFixedModels()}, []string{"--model-control-mode=none"}, nil},
		"polling": {[]TritonOption{WithPolling(1500 * time.Millisecond)}, []string{"--model-control-mode=poll", "--repository-poll-secs=1"}, nil},
		"quick":   {[]TritonOption{WithPolling(0)}, []string{"--model-control-mode=poll", "--repository-poll-secs=1"}, nil},
		"cache and flags": {
			[]TritonOption{WithResponseCache(99), WithTritonArgs("--log-verbose=1")},
			[]string{explicit, "--load-model=*"}, []string{"--cache-config=local,size=99", "--log-verbose=1"},
		},
	} {
		s := newTritonSettings(c.options)
		if !slices.Equal(s.control, c.control) || !slices.Equal(s.args, c.args) || !s.exitOnErr {
			t.Errorf("%s: %+v, want %v %v true", name, s, c.control, c.args)
		}
	}
	if newTritonSettings([]TritonOption{WithBrokenModels()}).exitOnErr {
		t.Error("WithBrokenModels: a broken model still ends the start")
	}
}

func TestTritonHasThePythonBackendToo(t *testing.T) {
	repository := t.TempDir()
	folder := filepath.Join(repository, "echo", "1")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(repository, "echo", "config.pbtxt"): `name: "echo" backend: "python"
			input [ { name: "in" data_type: TYPE_INT32 dims: [ 1 ] } ] output [ { name: "out" data_type: TYPE_INT32 dims: [ 1 ] } ]
			instance_group [ { count: 1 kind: KIND_CPU } ]`,
		filepath.Join(folder, "model.py"): `
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def execute(self, requests):
        value = lambda r: pb_utils.get_input_tensor_by_name(r, "in").as_numpy() + 1
        return [pb_utils.InferenceResponse([pb_utils.Tensor("out", value(r))]) for r in requests]
`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := infer(t, Triton(t, repository), "echo", `{"inputs":[{"name":"in","datatype":"INT32","shape":[1],"data":[41]}]}`)
	if got := fmt.Sprint(a.Outputs[0].Data); got != "[42]" {
		t.Errorf("%s, want [42]", got)
	}
}
