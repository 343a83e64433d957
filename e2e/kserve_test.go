package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"triton-gateway/internal/parts"
)

// kserveModels puts folders of e2e/testdata/kserve, and the demo model shapes, into one fresh repository.
func kserveModels(t *testing.T, folders ...string) string {
	t.Helper()
	repository := t.TempDir()
	for _, folder := range folders {
		if err := os.CopyFS(repository, os.DirFS(filepath.Join(parts.Root(t), "e2e", "testdata", "kserve", folder))); err != nil {
			t.Fatal(err)
		}
	}
	copyModel(t, "shapes", repository)
	return repository
}

// side is a server that speaks KServe v2.
type side struct{ http, grpc string }

// KServe's own clients and perf_analyzer cannot tell a gateway from a Triton: one Triton, a gateway before it, and a gateway that runs the models itself.
func TestKServe(t *testing.T) {
	server := parts.Triton(t, kserveModels(t, "both", "triton"))
	bare := side{server.HTTP, server.GRPC}
	remote := parts.Serve(t, "--triton", server.GRPC, "--model-repository", server.Repository)
	local := parts.Serve(t, "--model-repository", kserveModels(t, "both", "embedded"))
	t.Run("the Python clients get Triton's bytes", func(t *testing.T) { parity(t, bare, side{remote.HTTP, remote.GRPC}, "triton") })
	t.Run("the Python clients get the embedded engine's tensors", func(t *testing.T) { parity(t, bare, side{local.HTTP, local.GRPC}, "embedded") })
	for name, g := range map[string]*parts.GatewayServer{"Triton": remote, "embedded": local} {
		t.Run("the Python clients send pictures, "+name, func(t *testing.T) { pictures(t, g) })
		t.Run("what is not for callers, "+name, func(t *testing.T) { script(t, "e2e/python/refused.py", g.HTTP, g.GRPC) })
	}
	t.Run("perf_analyzer, Triton", func(t *testing.T) { perf(t, side{remote.HTTP, remote.GRPC}) })
	t.Run("perf_analyzer, embedded", func(t *testing.T) { perf(t, side{local.HTTP, local.GRPC}) })
}

// parity asks both the same by tritonclient; e2e/python/parity.py prints what differs.
func parity(t *testing.T, left, right side, engine string) {
	t.Helper()
	script(t, "e2e/python/parity.py", "--left", left.http+","+left.grpc, "--right", right.http+","+right.grpc, "--engine", engine)
}

// script runs a Python script, which prints what is wrong and then ends with a status that is not 0.
func script(t *testing.T, path string, args ...string) {
	t.Helper()
	process := parts.Start(t, parts.TritonClient(t, path, args...))
	if code := process.Exit(); code != 0 {
		t.Errorf("%s: exit status %d:\n%s", path, code, process.Log())
	}
}

// pictures sends picture files to a virtual model, of which every client gets labels.
func pictures(t *testing.T, g *parts.GatewayServer) {
	t.Helper()
	args := []string{g.HTTP, g.GRPC, "shapes.image"}
	for label, file := range map[string]string{"circle": "circle-2.jpg", "star": "star-1.jpg", "cross": "cross-1.webp", "square": "square-1.png"} {
		args = append(args, label+"="+filepath.Join(parts.Root(t), "model_repository", "shapes", "golden", file))
	}
	script(t, "e2e/python/image.py", args...)
}
