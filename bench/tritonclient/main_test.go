package main

import (
	"flag"
	"testing"

	"triton-gateway/internal/parts"
)

var full = flag.Bool("full", false, "measure 12 rounds instead of checking that it runs")

// TestFigures prints the table. Times are not asserted: they belong to a quiet machine.
func TestFigures(t *testing.T) {
	server := parts.Triton(t, "gateway/backend/triton/testdata/repository", parts.WithModels("noop"))
	rounds, list := 12, sizes
	if !*full {
		rounds = 2
		for i := range list {
			list[i].calls = 4
		}
	}
	if err := compare(server.GRPC, "noop", rounds, list[:]); err != nil {
		t.Fatal(err)
	}
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{3: {5, 3, 1}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		if got := median(list); got != want {
			t.Errorf("median(%v) = %v, want %v", list, got, want)
		}
	}
}
