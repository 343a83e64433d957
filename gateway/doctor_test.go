package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExamineRepository(t *testing.T) {
	for name, c := range map[string]struct {
		files   []string
		triton  bool
		verdict Verdict
		want    string
	}{
		"usual":              {[]string{"a/config.pbtxt", "a/1/model.onnx", "b/config.pbtxt", "README.md"}, false, Fine, ", 2 models"},
		"no config":          {[]string{"a/1/model.onnx", "b/2/model.onnx"}, false, Fine, "2 models, 2 of them without config.pbtxt: what it would say is read from model.onnx"},
		"one without":        {[]string{"a/1/model.onnx", "b/config.pbtxt"}, false, Fine, "2 models, 1 of them without"},
		"tasks for a Triton": {[]string{"a/task.yaml", "b/task.yaml"}, true, Fine, ", 2 models"},
		"empty":              {nil, false, Odd, "holds no model"},
		"inside a model":     {[]string{"config.pbtxt", "1/model.onnx"}, false, Odd, "holds no model"},
	} {
		dir := t.TempDir()
		for _, file := range c.files {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		config := Config{ModelRepository: dir}
		if c.triton {
			config.Triton.Endpoints = []string{"localhost:1"}
		}
		checkRepository(t, name, config, c.verdict, c.want)
	}
	checkRepository(t, "missing", Config{ModelRepository: filepath.Join(t.TempDir(), "x")}, Wrong, "does not exist")
	checkRepository(t, "missing, with a Triton", Config{ModelRepository: filepath.Join(t.TempDir(), "x"), Triton: Triton{Endpoints: []string{"localhost:1"}}}, Odd, "does not exist")
}

func checkRepository(t *testing.T, name string, c Config, verdict Verdict, want string) {
	t.Helper()
	var checks []Check
	examineRepository(c, func(c Check) bool {
		checks = append(checks, c)
		return true
	})
	if len(checks) != 1 || checks[0].Verdict != verdict || !strings.Contains(checks[0].Finding, want) || (verdict == Fine) != (checks[0].Mend == "") {
		t.Errorf("%s: %+v", name, checks)
	}
}
