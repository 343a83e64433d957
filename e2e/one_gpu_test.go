package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

// The demo's own route: a small picture gets the model in eight bits, a large one that in 32.
func TestTheDemoPicksTheQuantisedVariantByARule(t *testing.T) {
	g := start(t, "--config", "demo.yaml")
	for file, want := range map[string]string{"triangle-1.png": "shapes-int8/1; reason=rule[0]; route=shapes-auto", "circle-1.png": "shapes/2; reason=weight; route=shapes-auto"} {
		model, _, _ := strings.Cut(want, "/")
		picture := readFile(t, "model_repository/shapes-int8/golden/"+file)
		r, alone := g.infer(t, "shapes-auto", "", picture), g.infer(t, model, "", picture)
		if r.status != http.StatusOK || r.header.Get("X-Route") != want || r.Model != model || len(r.Predictions) != 5 {
			t.Errorf("%s: %d, %q, %s", file, r.status, r.header.Get("X-Route"), r.body)
			continue
		}
		for i, p := range alone.Predictions {
			if r.Predictions[i] != p {
				t.Errorf("%s: prediction %d is %+v by the route and %+v by the model", file, i, r.Predictions[i], p)
			}
		}
	}
}

// The configs of examples/one-gpu are served by a Triton whose rate limiter is on, with its CPU in place of the GPU; the models answer as ever.
func TestModelsThatShareOneGPU(t *testing.T) {
	repository := filepath.Join(t.TempDir(), "models")
	models := []string{"shapes", "shapes-detector", "shapes-int8"}
	for _, model := range models {
		if err := os.CopyFS(filepath.Join(repository, model), os.DirFS(filepath.Join(parts.Root(t), "model_repository", model))); err != nil {
			t.Fatal(err)
		}
		config := string(readFile(t, "examples/one-gpu/"+model+"/config.pbtxt"))
		onCPU := strings.NewReplacer("KIND_GPU", "KIND_CPU", "    gpus: [ 0 ]\n", "").Replace(config)
		if strings.Count(onCPU, "KIND_CPU") != 1 || strings.Contains(onCPU, "gpus") || !strings.Contains(onCPU, "rate_limiter") {
			t.Fatalf("%s: %s", model, onCPU)
		}
		if err := os.WriteFile(filepath.Join(repository, model, "config.pbtxt"), []byte(onCPU), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := parts.Triton(t, repository, parts.WithTritonArgs("--rate-limit=execution_count", "--rate-limit-resource=R:4"))
	g := start(t, "--triton", server.GRPC)
	for _, model := range models {
		checkGoldens(t, g, model)
	}
	lint := do(t, "GET", g.URL+"/v1/models/shapes-detector/lint", "", nil)
	if lint.status != http.StatusOK || !strings.Contains(string(lint.body), "rate_limiter_needs_flag") {
		t.Errorf("%d %s", lint.status, lint.body)
	}
}
