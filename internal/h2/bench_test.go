package h2

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"triton-gateway/internal/load"
)

var full = flag.Bool("full", false, "measure long enough for figures instead of showing that it runs")

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

const inferMethod = "/inference.GRPCInferenceService/ModelInfer"

// way is one client of the two that are compared.
type way struct {
	name string
	call func() error
}

// ways are grpc-go and this package, to the same server.
func ways(tb testing.TB, address string, message []byte) []way {
	client, err := load.Dial(address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	c, ctx := connect(tb, address, Options{UserAgent: "test"}), tb.Context()
	return []way{
		{"grpc-go", func() error {
			_, _, err := client.Infer(ctx, message)
			return err
		}},
		{"h2", func() error {
			_, _, err := c.Call(ctx, inferMethod, nil, [][]byte{message})
			return err
		}},
	}
}

// block is what so many calls of so many callers took.
type block struct {
	p50    time.Duration
	rate   float64 // calls a second
	cpu    time.Duration
	allocs float64
}

func run(tb testing.TB, w way, callers, calls int) block {
	took := make([]time.Duration, callers*calls)
	var before, after syscall.Rusage
	var had, has runtime.MemStats
	runtime.ReadMemStats(&had)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	start := time.Now()
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for j := range calls {
				at := time.Now()
				if err := w.call(); err != nil {
					tb.Errorf("%s: %v", w.name, err)
					return
				}
				took[i*calls+j] = time.Since(at)
			}
		})
	}
	all.Wait()
	wall := time.Since(start)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	runtime.ReadMemStats(&has)
	slices.Sort(took)
	n := len(took)
	return block{took[n/2], float64(n) / wall.Seconds(), (cpu(&after) - cpu(&before)) / time.Duration(n), float64(has.Mallocs-had.Mallocs) / float64(n)}
}

func cpu(r *syscall.Rusage) time.Duration {
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestSideBySide prints what a call costs with grpc-go and with this package: blocks in turn, medians of blocks.
func TestSideBySide(t *testing.T) {
	_, address := load.Fake(t, 0, 0, "")
	sideBySide(t, address, load.FakeModel, "IN")
}

func sideBySide(t *testing.T, address, model, input string) {
	var table strings.Builder
	table.WriteString("| tensor | callers | client | p50 us | calls/s | CPU us/call | allocations |\n|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		name                     string
		elements, callers, calls int
	}{{"16 B", 4, 1, 200}, {"602 KB", 3 * 224 * 224, 1, 40}, {"4.9 MB", 3 * 640 * 640, 1, 8}, {"16 B", 4, 8, 100}, {"602 KB", 3 * 224 * 224, 8, 10}} {
		rounds := 2
		if *full {
			rounds = 40
		}
		both := ways(t, address, load.Floats(model, input, c.elements))
		blocks := make([][]block, len(both))
		for round := -1; round < rounds; round++ {
			for i, w := range both {
				if b := run(t, w, c.callers, c.calls); round >= 0 {
					blocks[i] = append(blocks[i], b)
				}
			}
		}
		for i, w := range both {
			fmt.Fprintf(&table, "| %s | %d | %s | %.0f | %.0f | %.0f | %.0f |\n", c.name, c.callers, w.name,
				middle(blocks[i], func(b block) float64 { return float64(b.p50.Nanoseconds()) / 1000 }), middle(blocks[i], func(b block) float64 { return b.rate }),
				middle(blocks[i], func(b block) float64 { return float64(b.cpu.Nanoseconds()) / 1000 }), middle(blocks[i], func(b block) float64 { return b.allocs }))
		}
	}
	t.Log("\n" + table.String())
}

func middle(blocks []block, of func(block) float64) float64 {
	list := make([]float64, len(blocks))
	for i, b := range blocks {
		list[i] = of(b)
	}
	slices.Sort(list)
	return list[len(list)/2]
}
