package shadow

import "time"

// usualSure is how many offers of a route are run for sure, a second.
const usualSure = 2

// budget is what a route has for sure: a bucket of tokens, one for each run, and one run at a time. So what it takes from the callers is bounded whatever befalls: the work of
// Options.Sure requests a second, and the memory of one.
type budget struct {
	tokens float64
	filled time.Time
	runs   bool
}

// budgetOf is the budget that a run may take; nil where it asks for none, or the route has none left. It needs mu.
func (r *Runner) budgetOf(w *run, now time.Time) *budget {
	if !w.Sure || r.options.Sure <= 0 {
		return nil
	}
	most := max(r.options.Sure, 1)
	s := r.budgets[w.Pair.Route]
	if s == nil {
		s = &budget{tokens: most, filled: now}
		r.budgets[w.Pair.Route] = s
	}
	s.tokens = min(most, s.tokens+r.options.Sure*now.Sub(s.filled).Seconds())
	s.filled = now
	if s.runs || s.tokens < 1 {
		return nil
	}
	return s
}

func (s *budget) take() {
	s.tokens--
	s.runs = true
}
