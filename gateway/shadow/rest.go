package shadow

import (
	"time"

	"triton-gateway/internal/fault"
)

const (
	// patience is how often in a row a shadow may be late, or away, until it is left alone for a while: each call that is not answered holds a place of the model's server as long as
	// Timeout, which callers may need, and a picture is decoded for each.
	patience = 3
	// longestRest is the longest while, in parts of Timeout; the first is one of them.
	longestRest = 8
)

// rest is how a pair's shadow has been late.
type rest struct {
	late  int       // in a row; away counts too
	until time.Time // where late is patience or more: nobody asks before
}

// resting says whether a pair's shadow is left alone now. When its time is over it lets one offer through, as a try, and the others when that has been answered. It needs mu.
func (r *Runner) resting(p Pair) (rests, try bool) {
	s := r.rests[p]
	if s == nil || s.late < patience {
		return false, false
	}
	now := time.Now()
	if now.Before(s.until) {
		return true, false
	}
	s.until = now.Add(r.pause(s.late) + r.options.Timeout) // if nothing becomes of it
	return false, true
}

// overtaken says whether a run that has waited came before its shadow was left alone.
func (r *Runner) overtaken(w *run) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.rests[w.Pair]
	return !w.try && s != nil && s.late >= patience && time.Now().Before(s.until)
}

// heard notes how an offer ended. It needs mu.
func (r *Runner) heard(e Event) {
	away := e.Outcome == Failed && fault.KindOf(e.Err) == fault.Unavailable
	if e.Outcome == Compared || e.Outcome == Failed && !away {
		delete(r.rests, e.Pair)
		return
	}
	if e.Outcome != TimedOut && !away {
		return
	}
	s := r.rests[e.Pair]
	if s == nil {
		s = &rest{}
		r.rests[e.Pair] = s
	}
	if !away || s.late < patience { // one that says at once that it is away costs little: it is not asked ever more seldom
		s.late++
	}
	s.until = time.Now().Add(r.pause(s.late))
}

func (r *Runner) pause(late int) time.Duration {
	return r.options.Timeout * time.Duration(min(1<<min(max(late-patience, 0), 10), longestRest))
}
