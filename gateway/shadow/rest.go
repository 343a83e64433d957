package shadow

import "time"

const (
	// patience is how often in a row a shadow may be late until it is left alone for a while: each call that is not answered holds a place of the model's server as long as Timeout,
	// which callers may need.
	patience = 3
	// longestRest is the longest while, in parts of Timeout; the first is one of them.
	longestRest = 8
)

// rest is how a pair's shadow has been late.
type rest struct {
	late  int       // in a row
	until time.Time // where late is patience or more: nobody asks before
}

// resting says whether a pair's shadow is left alone now. When its time is over it lets one offer through, and the others when that has been answered. It needs mu.
func (r *Runner) resting(p Pair) bool {
	s := r.rests[p]
	if s == nil || s.late < patience {
		return false
	}
	now := time.Now()
	if now.Before(s.until) {
		return true
	}
	s.until = now.Add(r.pause(s.late) + r.options.Timeout) // if nothing becomes of it
	return false
}

// heard notes how an offer ended. It needs mu.
func (r *Runner) heard(e Event) {
	switch e.Outcome {
	case Compared, Failed:
		delete(r.rests, e.Pair)
	case TimedOut:
		s := r.rests[e.Pair]
		if s == nil {
			s = &rest{}
			r.rests[e.Pair] = s
		}
		s.late++
		s.until = time.Now().Add(r.pause(s.late))
	}
}

func (r *Runner) pause(late int) time.Duration {
	return r.options.Timeout * time.Duration(min(1<<min(max(late-patience, 0), 10), longestRest))
}
