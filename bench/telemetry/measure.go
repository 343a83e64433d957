// Package telemetry measures what metrics, log and traces cost a request: gateways that differ in nothing else run side by side, each in a
// process of its own, and take turns in being asked, in short blocks, so that what else the machine does falls on all of them alike. What is
// compared is the CPU time of each process for a request, user and system time; the load generator's and the collector's are left out.
package telemetry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"triton-gateway/internal/load"
)

// Side is one gateway, as it is asked for one kind of work.
type Side struct {
	Name string
	Pid  int
	Call load.Call
}

// Plan is how much is asked.
type Plan struct {
	Callers int // at a time, each with a connection of its own where calls have one
	Calls   int // of one block
	Turns   int // blocks of each side in one round: enough for some collections of garbage
	Rounds  int
}

// Measure gives, for each side, the CPU time of a call in each round. Any call that is not answered ends it.
func Measure(ctx context.Context, sides []Side, p Plan) ([][]time.Duration, error) {
	cost := make([][]time.Duration, len(sides))
	for round := -1; round < p.Rounds; round++ { // the first one fills caches and pools
		sums := make([]time.Duration, len(sides))
		for turn := range p.Turns {
			for i := range sides {
				n := (i + turn) % len(sides) // nobody is always first
				took, err := block(ctx, sides[n], p)
				if err != nil {
					return nil, err
				}
				sums[n] += took
			}
		}
		if round >= 0 {
			for n, sum := range sums {
				cost[n] = append(cost[n], sum/time.Duration(p.Calls*p.Turns))
			}
		}
	}
	return cost, nil
}

// block is the CPU time of one block.
func block(ctx context.Context, s Side, p Plan) (time.Duration, error) {
	before, err := cpu(s.Pid)
	if err != nil {
		return 0, err
	}
	r := load.Closed(ctx, p.Callers, p.Calls, 0, s.Call)
	after, err := cpu(s.Pid)
	if err != nil {
		return 0, err
	}
	if got := r.Count(load.Answered); got != p.Calls {
		return 0, fmt.Errorf("%s: %d of %d calls answered: %v", s.Name, got, p.Calls, r.Texts)
	}
	return after - before, nil
}

// cpu is the time that the threads of a process have run, to the nanosecond: /proc/PID/stat counts in steps of 10 ms. Threads that have ended
// are missing; Go keeps its own.
func cpu(pid int) (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no times of process %d: %w", pid, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended just now
		}
		first, _, _ := strings.Cut(string(text), " ")
		ran, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}

// Table has one line for each side: the median time of a call, and the median and the quartiles of what it takes more than the first side in
// the same round.
func Table(title string, sides []Side, cost [][]time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | CPU of a call | more than off: median (quartiles) |\n|---|---|---|\n", title)
	for i, s := range sides {
		more := make([]float64, len(cost[i]))
		for round, took := range cost[i] {
			more[round] = 100 * (float64(took)/float64(cost[0][round]) - 1)
		}
		us := float64(quantile(cost[i], 0.5)) / float64(time.Microsecond)
		fmt.Fprintf(&b, "| %s | %.1f us | %+.1f %% (%+.1f - %+.1f) |\n", s.Name, us, quantile(more, 0.5), quantile(more, 0.25), quantile(more, 0.75))
	}
	return b.String()
}

// quantile is the lower one of two where it lies between values.
func quantile[T time.Duration | float64](list []T, q float64) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1))]
}
