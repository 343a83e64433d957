// Package kserve measures what a gateway costs a call of KServe v2 over gRPC: the time that it adds to a call made alone, and the calls a second and the CPU time
// where calls are many. The ways to the same server are taken in turn, in short blocks, so that what else the machine does falls on all of
// them alike; what is compared are the medians of blocks that lie side by side.
package kserve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"triton-gateway/internal/load"
)

// Way is one way to the server. The first one of a list is the direct one.
type Way struct {
	Name string
	Call load.Call
	Pid  int // of what stands in between, for its CPU time; 0: nothing does
}

// Load is what is sent in each block.
type Load struct {
	Callers, Calls, Blocks int // calls are those of one block
}

// Block is one block of one way.
type Block struct {
	P50  time.Duration
	Rate float64       // calls a second
	CPU  time.Duration // of what stands in between, per call
}

// Measure takes the ways in turn, in another order each time. The blocks of one round have the same index. Any call that is not answered ends it.
func Measure(ctx context.Context, ways []Way, l Load) ([][]Block, error) {
	blocks := make([][]Block, len(ways))
	for round := -1; round < l.Blocks; round++ { // the first one warms up
		for i := range ways {
			n := (i + max(round, 0)) % len(ways)
			b, err := measure(ctx, ways[n], l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", ways[n].Name, err)
			}
			if round >= 0 {
				blocks[n] = append(blocks[n], b)
			}
		}
	}
	return blocks, nil
}

func measure(ctx context.Context, w Way, l Load) (Block, error) {
	before, err := used(w.Pid)
	if err != nil {
		return Block{}, err
	}
	r := load.Closed(ctx, l.Callers, l.Calls, 0, w.Call)
	after, err := used(w.Pid)
	if err != nil {
		return Block{}, err
	}
	if r.Count(load.Answered) != l.Calls {
		return Block{}, fmt.Errorf("%d of %d calls answered: %v", r.Count(load.Answered), l.Calls, r.Texts)
	}
	return Block{P50: r.Quantile(0.5), Rate: r.Rate(load.Answered), CPU: (after - before) / time.Duration(l.Calls)}, nil
}

func used(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	return load.CPU(pid)
}

// Added shows the time that each way adds to the median call of the first one.
func Added(title string, ways []Way, blocks [][]Block) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | p50 | added to the direct way: median of blocks (quartiles) | CPU per call |\n|---|---|---|---|\n", title)
	for i, w := range ways {
		p50, cpu := column(blocks[i], func(x Block) float64 { return us(x.P50) }), column(blocks[i], func(x Block) float64 { return us(x.CPU) })
		added := "-"
		if i > 0 {
			list := pairs(blocks[i], blocks[0], func(x, direct Block) float64 { return us(x.P50) - us(direct.P50) })
			added = fmt.Sprintf("%.0f us (%.0f - %.0f)", quantile(list, 0.5), quantile(list, 0.25), quantile(list, 0.75))
		}
		fmt.Fprintf(&b, "| %s | %.0f us | %s | %.0f us |\n", w.Name, quantile(p50, 0.5), added, mean(cpu))
	}
	return b.String()
}

// Rates shows how many calls a second each way can do.
func Rates(title string, ways []Way, blocks [][]Block) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | calls/s | of the direct way: median of blocks (quartiles) | p50 | CPU per call |\n|---|---|---|---|---|\n", title)
	for i, w := range ways {
		list := pairs(blocks[i], blocks[0], func(x, direct Block) float64 { return x.Rate / direct.Rate })
		fmt.Fprintf(&b, "| %s | %.0f | %.2f (%.2f - %.2f) | %.0f us | %.0f us |\n", w.Name, quantile(column(blocks[i], func(x Block) float64 { return x.Rate }), 0.5),
			quantile(list, 0.5), quantile(list, 0.25), quantile(list, 0.75), quantile(column(blocks[i], func(x Block) float64 { return us(x.P50) }), 0.5),
			mean(column(blocks[i], func(x Block) float64 { return us(x.CPU) })))
	}
	return b.String()
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func column(blocks []Block, of func(Block) float64) (out []float64) {
	for _, b := range blocks {
		out = append(out, of(b))
	}
	return out
}

func pairs(a, b []Block, of func(x, y Block) float64) (out []float64) {
	for i := range a {
		out = append(out, of(a[i], b[i]))
	}
	return out
}

// quantile is that of a sorted copy, the lower one of two.
func quantile(list []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[int(q*float64(len(s)-1))]
}

func mean(list []float64) (sum float64) {
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}
