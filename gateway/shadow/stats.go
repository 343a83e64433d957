package shadow

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Stats is what became of a pair's offers since the runner began.
type Stats struct {
	Pair     Pair
	Outcomes map[Outcome]uint64
	Alike    uint64           // of those compared
	Distance float64          // the sum of those compared
	Took     time.Duration    // the sum of those compared, by the shadow
	Figures  map[string]Total // by the figure's name
	Failure  error            // the last one of the shadow, its lateness included; nil where there was none
	FailedAt time.Time        // when that was
}

// Total is a figure over all comparisons that have it.
type Total struct {
	Count uint64
	Sum   float64 // finite
}

func (r *Runner) count(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard(e)
	s := r.pairs[e.Pair]
	if s == nil {
		s = &Stats{Pair: e.Pair, Outcomes: map[Outcome]uint64{}, Figures: map[string]Total{}}
		r.pairs[e.Pair] = s
	}
	s.Outcomes[e.Outcome]++
	if e.Err != nil {
		s.Failure, s.FailedAt = e.Err, time.Now()
	}
	if e.Outcome != Compared {
		return
	}
	if e.Comparison.Alike {
		s.Alike++
	}
	s.Distance += e.Comparison.Distance
	s.Took += e.Took
	for name, v := range e.Comparison.Figures {
		t := s.Figures[name]
		s.Figures[name] = Total{t.Count + 1, min(max(t.Sum+v, -math.MaxFloat64), math.MaxFloat64)}
	}
}

// Stats gives all pairs by name. They share no memory with the runner.
func (r *Runner) Stats() []Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Stats, 0, len(r.pairs))
	for _, s := range r.pairs {
		c := *s
		c.Outcomes, c.Figures = maps.Clone(s.Outcomes), maps.Clone(s.Figures)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Stats) int {
		return cmp.Or(strings.Compare(a.Pair.Route, b.Pair.Route), strings.Compare(a.Pair.Primary, b.Pair.Primary), strings.Compare(a.Pair.Shadow, b.Pair.Shadow))
	})
	return out
}

// Forget drops what is known of a route that is gone. Offers of it that are still under way are counted anew.
func (r *Runner) Forget(route string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.worst, route)
	delete(r.budgets, route)
	maps.DeleteFunc(r.rests, func(p Pair, _ *rest) bool { return p.Route == route })
	maps.DeleteFunc(r.pairs, func(p Pair, _ *Stats) bool { return p.Route == route })
}
