package triton

import (
	"fmt"
	"testing"

	"triton-gateway/internal/tritontest"
)

// BenchmarkInfer is a 16-byte request and back, against fakes in this process, by the number of endpoints.
func BenchmarkInfer(b *testing.B) {
	for _, endpoints := range []int{1, 3} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) {
			var addresses []string
			for range endpoints {
				s := tritontest.New(b)
				s.Model("m", echo)
				addresses = append(addresses, s.Addr())
			}
			c := clientOf(b, addresses...)
			r := requestOf("m", 1, 2, 3, 4)
			for range 100 {
				if _, err := c.Infer(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Infer(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
