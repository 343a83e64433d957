// Package overload measures what a gateway does with more calls than its Triton can answer: calls come at a constant rate of 0.8, 2, 5 and 10 times the
// capacity, whatever comes back. The Triton is a fake in a process of its own, with so many workers that each take a fixed time, so that its capacity is
// known and no processor is the limit.
package overload

import (
	"context"
	"fmt"
	"strings"
	"time"

	"triton-gateway/internal/load"
)

// Plan is what is run.
type Plan struct {
	Phase   time.Duration // of each overload, and of the load before them
	After   time.Duration // of the ordinary load that follows each overload
	Callers int           // of the closed loop that finds the peak
	Factors []float64     // of the capacity
	Most    int           // calls under way at a time, beyond which the generator gives up
}

// Full is the plan of the figures.
func Full() Plan {
	return Plan{Phase: time.Minute, After: 10 * time.Second, Callers: 16, Factors: []float64{2, 5, 10}, Most: 20000}
}

// Short is a plan that shows that all works.
func Short() Plan {
	return Plan{Phase: time.Second, After: 3 * time.Second, Callers: 16, Factors: []float64{4}, Most: 2000}
}

// settling is how long after an overload calls may still be refused or late.
const settling = 2 * time.Second

// ordinary is the part of the capacity that stands for an ordinary load.
const ordinary = 0.8

// Row is one phase.
type Row struct {
	Name    string
	Rate    float64 // calls a second that came
	Result  *load.Result
	Settled *load.Result // the ordinary load after it, from [settling] on; nil for the rows without
}

// Run finds the peak of a closed loop and then runs the phases. capacity is what the fake can do, in calls a second.
func (p Plan) Run(ctx context.Context, capacity float64, call load.Call) (peak *load.Result, rows []Row) {
	load.Closed(ctx, p.Callers, 0, p.Phase/4, call) // limits find their place
	peak = load.Closed(ctx, p.Callers, 0, p.Phase/2, call)
	rate := ordinary * capacity
	rows = append(rows, Row{Name: "ordinary", Rate: rate, Result: load.Open(ctx, rate, p.Phase, p.Most, call)})
	for _, f := range p.Factors {
		row := Row{Name: fmt.Sprintf("%g x", f), Rate: f * capacity, Result: load.Open(ctx, f*capacity, p.Phase, p.Most, call)}
		row.Settled = load.Open(ctx, rate, settling+p.After, p.Most, call).Between(settling, settling+p.After)
		rows = append(rows, row)
	}
	return peak, rows
}

// Table shows the phases, in Markdown. ratios are to the peak and to the ordinary load.
func Table(peak *load.Result, rows []Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "peak of a closed loop: %.1f answers/s, p99 %s\n\n", peak.Rate(load.Answered), ms(peak.Quantile(0.99, load.Answered)))
	b.WriteString("| load | calls/s | goodput/s | of the peak | p50, p99 of answered | p99 of ordinary | refused with Retry-After | p50, p99 of refused | other failures | not made | after: answered, p99 |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	usual := rows[0].Result.Quantile(0.99, load.Answered)
	for _, r := range rows {
		good, p99 := r.Goodput(), r.Result.Quantile(0.99, load.Answered)
		after := "-"
		if r.Settled != nil {
			after = fmt.Sprintf("%d of %d, %s", r.Settled.Count(load.Answered), len(r.Settled.Samples), ms(r.Settled.Quantile(0.99)))
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.1f | %.3f | %s, %s | %.2f x | %d | %s, %s | %d | %d | %s |\n", r.Name, r.Rate, good, good/peak.Rate(load.Answered),
			ms(r.Result.Quantile(0.5, load.Answered)), ms(p99), float64(p99)/float64(usual), r.Result.Count(load.Rejected),
			ms(r.Result.Quantile(0.5, load.Rejected)), ms(r.Result.Quantile(0.99, load.Rejected)),
			r.Result.Count(load.Bare, load.Late, load.Down, load.Failed), r.Result.Unmade, after)
	}
	return b.String()
}

// Goodput is how many calls a second were answered while calls came.
func (r Row) Goodput() float64 {
	last := time.Duration(0)
	answered := 0
	for _, s := range r.Result.Samples {
		last = max(last, s.At)
	}
	for _, s := range r.Result.Samples {
		if s.Verdict == load.Answered && s.At+s.Took <= last {
			answered++
		}
	}
	if last == 0 {
		return 0
	}
	return float64(answered) / last.Seconds()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }
