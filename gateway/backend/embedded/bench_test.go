//go:build cgo

package embedded

import (
	"fmt"
	"path/filepath"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/parts"
	"triton-gateway/tensor"
)

// BenchmarkInfer runs every demo model on one item, and tells what a request costs from tensors to tensors.
func BenchmarkInfer(b *testing.B) {
	e := start(b, filepath.Join(parts.Root(b), "model_repository"))
	list, err := e.Index(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range list {
		if s.State != backend.Ready {
			continue
		}
		b.Run(fmt.Sprintf("%s/%s", s.Name, s.Version), func(b *testing.B) {
			c, err := e.Config(b.Context(), s.Name)
			if err != nil {
				b.Fatal(err)
			}
			r := ask(s.Name, s.Version)
			for _, io := range c.Inputs {
				shape := append([]int64{1}, io.Dims...)
				n, err := tensor.Elements(shape)
				if err != nil {
					b.Fatal(err)
				}
				r.Inputs = append(r.Inputs, tensor.Tensor{Name: io.Name, DType: io.DType, Shape: shape, Data: make([]byte, n*int64(io.DType.Size()))})
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Infer(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLook is what the watcher does twice a second.
func BenchmarkLook(b *testing.B) {
	dir := filepath.Join(parts.Root(b), "model_repository")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scan(dir); err != nil {
			b.Fatal(err)
		}
	}
}
