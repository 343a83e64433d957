package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

// run runs the program to its end and gives what it printed and its exit code.
func run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(parts.Gateway(t), args...)
	cmd.Dir = parts.Root(t)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestCommandLine(t *testing.T) {
	g := start(t)
	folder := t.TempDir()
	bad := filepath.Join(folder, "bad.yaml")
	if err := os.WriteFile(bad, []byte("limits:\n  bodyy: 1MiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	row := filepath.Join(folder, "row.json")
	if err := os.WriteFile(row, []byte(`{"row":[5.1,3.5,1.4,0.2]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no arguments", nil, 0, []string{"serve", "infer", "models", "doctor", "health", "config", "version"}},
		{"help", []string{"serve", "--help"}, 0, []string{"--triton", "--insecure"}},
		{"unknown command", []string{"serv"}, 2, []string{"serv"}},
		{"version", []string{"version"}, 0, []string{"triton-gateway", "go1.", "OpenCV"}},
		{"infer here", []string{"infer", "model_repository/shapes/golden/circle-1.png", "-m", "shapes", "--url", g.URL}, 0, []string{`"label": "circle"`}},
		{"infer a row", []string{"infer", row, "-m", "iris", "--url", g.URL}, 0, []string{"setosa"}},
		{"infer alone", []string{"infer", "model_repository/shapes/golden/circle-1.png", "-m", "shapes", "--model-repository", "model_repository"}, 0, []string{`"label": "circle"`}},
		{"infer, options", []string{"infer", "model_repository/shapes/golden/circle-1.png", "-m", "shapes", "--top-k", "1", "--model-version", "1", "--url", g.URL}, 0, []string{`"version": "1"`}},
		{"infer, no model", []string{"infer", row, "-m", "nope", "--url", g.URL}, 1, []string{"model_not_found", "nope"}},
		{"infer, no file", []string{"infer", "nowhere.png", "-m", "shapes", "--url", g.URL}, 1, []string{"nowhere.png"}},
		{"models", []string{"models", "--url", g.URL}, 0, []string{"shapes-detector", "object-detection", "2 READY, 1 READY"}},
		{"health", []string{"health", "--url", g.URL}, 0, nil},
		{"no health", []string{"health", "--url", "http://" + parts.FreeAddr(t)}, 1, []string{"no gateway answers"}},
		{"check", []string{"config", "check"}, 0, []string{"ok"}},
		{"check a bad file", []string{"config", "check", "--config", bad}, 1, []string{"bodyy", "[2:3]"}},
		{"print", []string{"config", "print"}, 0, []string{"http: localhost:8080"}},
		{"variables", []string{"config", "schema", "--variables"}, 0, []string{"GATEWAY_TRITON__ENDPOINTS"}},
		{"public address", []string{"serve", "--http", "0.0.0.0:0"}, 1, []string{"--insecure"}},
		{"doctor", []string{"doctor"}, 0, []string{"engine", "model shapes", "Redis"}},
		{"doctor, no Triton", []string{"doctor", "--triton", parts.FreeAddr(t)}, 1, []string{"FAIL", "Triton"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := run(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d:\n%s", code, c.code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	for _, args := range [][]string{{"config", "schema"}, {"config", "schema", "--task"}} {
		out, code := run(t, args...)
		var schema struct {
			Schema string `json:"$schema"`
		}
		if err := json.Unmarshal([]byte(out), &schema); err != nil || code != 0 || !strings.Contains(schema.Schema, "2020-12") {
			t.Errorf("%v: %v, code %d: %.200s", args, err, code, out)
		}
	}
}
