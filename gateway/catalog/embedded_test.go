//go:build cgo

package catalog_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

// testModels are the small ONNX models of the embedded engine's tests.
const testModels = "../backend/embedded/testdata"

var quiet = slog.New(slog.DiscardHandler)

func replace(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path+".part", data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		tb.Fatal(err)
	}
}

func model(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(testModels, name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func start(tb testing.TB, repository string) (*embedded.Engine, *catalog.Catalog) {
	tb.Helper()
	e, err := embedded.New(embedded.Config{Repository: repository, Library: parts.ONNXRuntime(tb), Interval: 10 * time.Millisecond, Log: quiet})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	c := catalog.New(e, catalog.Options{Repository: repository, Interval: 10 * time.Millisecond, Log: quiet})
	tb.Cleanup(func() { c.Close() })
	return e, c
}

// TestFoldersChangeUnderFire replaces weights and task.yaml on disk while requests go through catalog and engine. Every request is
// answered, and the catalog ends up naming the load that answers.
func TestFoldersChangeUnderFire(t *testing.T) {
	dir := t.TempDir()
	weights := [2][]byte{model(t, "add1.onnx"), model(t, "add10.onnx")}
	tasks := [2]string{"{task: tabular-regression, input: {columns: [a, b, c, d]}, output: {name: y}}", "{task: tabular-classification, input: {columns: [a, b, c, d]}, output: {activation: none}}"}
	replace(t, filepath.Join(dir, "add", "1", "model.onnx"), weights[0])
	replace(t, filepath.Join(dir, "add", "task.yaml"), []byte(tasks[0]))
	replace(t, filepath.Join(dir, "broken", "1", "model.onnx"), []byte("no model"))
	e, c := start(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := ask(t.Context(), e, c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := 1; n < 7; n++ {
		before, err := c.Lookup("add")
		if err != nil {
			t.Fatal(err)
		}
		replace(t, filepath.Join(dir, "add", "task.yaml"), []byte(tasks[n%2]))
		replace(t, filepath.Join(dir, "add", "1", "model.onnx"), weights[n%2])
		parts.Until(t, "the catalog shows both changes", time.Minute, func() bool {
			m, err := c.Lookup("add")
			return err == nil && m.TaskDigest != before.TaskDigest && m.Versions[0].Epoch != before.Versions[0].Epoch
		})
		named, got, err := ask(t.Context(), e, c)
		want := [2]string{"\x00\x00\x80\x3f", "\x00\x00\x20\x41"}[n%2] // 1 and 10 as FP32
		if err == nil && string(got.Outputs[0].Data[:4]) != want {
			t.Errorf("round %d: answered % x", n, got.Outputs[0].Data)
		}
		if err != nil || got.Epoch != named {
			t.Errorf("round %d: the catalog names load %s, %s answered: %v", n, named, got.Epoch, err)
		}
	}
	cancel()
	wg.Wait()
	for _, m := range c.Models() {
		if (m.Name == "broken") != (m.Error != "") {
			t.Errorf("%s: %q", m.Name, m.Error)
		}
	}
}

// ask sends one request of zeros, and tells which load the catalog named for it.
func ask(ctx context.Context, e *embedded.Engine, c *catalog.Catalog) (string, *backend.Response, error) {
	m, err := c.Lookup("add")
	if err != nil {
		return "", nil, err
	}
	v, err := m.Resolve("")
	if err != nil {
		return "", nil, err
	}
	r, err := e.Infer(ctx, &backend.Request{Model: m.Name, Version: v.Number, Inputs: []tensor.Tensor{
		{Name: "x", DType: tensor.FP32, Shape: []int64{1, 4}, Data: make([]byte, 16)}}})
	return v.Epoch, r, err
}

// TestDemoModels: every model of the repository has a task that needs no guessing.
func TestDemoModels(t *testing.T) {
	_, c := start(t, filepath.Join(parts.Root(t), "model_repository"))
	if len(c.Models()) == 0 {
		t.Fatal("no models")
	}
	for _, m := range c.Models() {
		if m.Error != "" || len(m.Warnings) > 0 || m.Source != catalog.FromFile || !m.Ready() {
			t.Errorf("%s: error %q, warnings %q, task from %s", m.Name, m.Error, m.Warnings, m.Source)
		}
	}
}

// BenchmarkLookup is what a request pays for knowing its model.
func BenchmarkLookup(b *testing.B) {
	_, c := start(b, filepath.Join(parts.Root(b), "model_repository"))
	for b.Loop() {
		m, err := c.Lookup("iris")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Resolve(""); err != nil || !c.Fresh() {
			b.Fatal(err)
		}
	}
}
