package modelconfig

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func folder(t *testing.T, config string, names ...string) string {
	dir := filepath.Join(t.TempDir(), "m")
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.pbtxt"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadListsVersionsByTritonsRules(t *testing.T) {
	dir := folder(t, `backend: "python"`, "1/", "10/", "2/model.onnx", "03/", "0/", "-4/", "+5/", "6a/", "golden/", "7", "99999999999999999999/")
	if err := os.Symlink(filepath.Join(dir, "2"), filepath.Join(dir, "8")); err != nil {
		t.Fatal(err)
	}
	c, versions, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1, 2, 8, 10}; !slices.Equal(versions, want) {
		t.Errorf("got %v, want %v", versions, want)
	}
	if c.Name != "m" || c.Backend != "python" {
		t.Errorf("%+v", c)
	}
}

func TestLoadFindsTheBackend(t *testing.T) {
	for config, want := range map[string]string{
		"":                               "onnxruntime",
		`platform: "onnxruntime_onnx"`:   "onnxruntime",
		`backend: "python"`:              "python",
		`platform: "tensorrt_plan"`:      "",
		`name: "m"  max_batch_size: 2  `: "onnxruntime",
	} {
		c, _, err := Load(folder(t, config, "1/model.onnx"))
		if err != nil || c.Backend != want {
			t.Errorf("%q: got %+v, %v", config, c, err)
		}
	}
	if c, _, err := Load(folder(t, "", "1/model.plan")); err != nil || c.Backend != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is loaded")
	}
	if _, _, err := Load(folder(t, `name: "n"`, "1/")); err == nil || !strings.Contains(err.Error(), `name is "n"`) {
		t.Errorf("another name: %v", err)
	}
	if _, _, err := Load(folder(t, strings.Repeat("# x\n", MaxBytes/4+1), "1/")); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("huge: %v", err)
	}
	if _, _, err := Load(folder(t, "", "config.pbtxt/", "1/")); err == nil {
		t.Error("a folder is read as a config")
	}
}

// The demo models' configs are read as Triton reads them.
func TestLoadModelRepository(t *testing.T) {
	paths, err := filepath.Glob("../model_repository/*/config.pbtxt")
	if err != nil || len(paths) == 0 {
		t.Skipf("no demo models here: %v", err)
	}
	for _, path := range paths {
		c, _, err := Load(filepath.Dir(path))
		if err != nil {
			t.Error(err)
			continue
		}
		backend, batches := "onnxruntime", true
		if c.Decoupled { // each text by itself
			backend, batches = "python", false
		}
		if c.Name != filepath.Base(filepath.Dir(path)) || (c.MaxBatchSize > 0) != batches || len(c.Inputs) == 0 || len(c.Outputs) == 0 || c.Backend != backend {
			t.Errorf("%s: %+v", path, c)
		}
	}
}
