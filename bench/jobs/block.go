// Package jobs measures the jobs' engine from the outside: beside github.com/hibiken/asynq on one Redis, over HTTP at a constant rate, and with more and more
// worker processes in front of a Triton of known capacity. It exists so that what docs/performance-jobs.md says can be run again.
package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Order is one block of work that both sides are given.
type Order struct {
	Producers int // that hand in one job after the other
	Jobs      int // handed in while nobody works, and as many again while the workers do
}

// Times are what a block took, in seconds.
type Times struct {
	Enqueue float64 `json:"enqueue"` // all jobs, while nobody works
	Drain   float64 `json:"drain"`   // the same, by the workers, while nobody hands in
	Both    float64 `json:"both"`    // as many again, handed in while the workers work, until all are complete
}

// Side is one of those who are compared.
type Side struct {
	Name string
	Run  func(ctx context.Context, o Order) (Times, error)
}

// Rates are the jobs a second of the blocks of one side.
type Rates struct {
	Name                 string
	Enqueue, Drain, Both []float64
}

// Compare runs as many rounds of one block for each side, in turns: those who come first change from round to round.
func Compare(ctx context.Context, o Order, rounds int, sides []Side) ([]Rates, error) {
	rates := make([]Rates, len(sides))
	for round := range rounds {
		for k := range sides {
			i := (k + round) % len(sides)
			t, err := sides[i].Run(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].Name, err)
			}
			r, n := &rates[i], float64(o.Jobs)
			r.Name = sides[i].Name
			r.Enqueue, r.Drain, r.Both = append(r.Enqueue, n/t.Enqueue), append(r.Drain, n/t.Drain), append(r.Both, n/t.Both)
		}
	}
	return rates, nil
}

// Table shows the medians of the rounds and, but for the first side, the median of the ratios to the first side's block of the same round, with its quartiles.
func Table(rates []Rates) string {
	var b strings.Builder
	b.WriteString("| | enqueue/s | of a backlog, complete/s | enqueue + complete/s |\n|---|---|---|---|\n")
	for i, r := range rates {
		fmt.Fprintf(&b, "| %s |", r.Name)
		for _, c := range []struct{ own, first []float64 }{{r.Enqueue, rates[0].Enqueue}, {r.Drain, rates[0].Drain}, {r.Both, rates[0].Both}} {
			fmt.Fprintf(&b, " %.0f", quantile(c.own, 0.5))
			if i > 0 {
				ratios := make([]float64, len(c.own))
				for k := range ratios {
					ratios[k] = c.own[k] / c.first[k]
				}
				fmt.Fprintf(&b, ", %.2f (%.2f - %.2f)", quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75))
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// quantile is that of a list that is not empty: the value at the nearest place.
func quantile[T cmp.Ordered](list []T, q float64) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// since is in seconds.
func since(begin time.Time) float64 { return time.Since(begin).Seconds() }
