package chaos

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// sample is one call.
type sample struct {
	What string
	At   time.Duration // when it was made, since the traffic's start
	Took time.Duration
	Verdict
	Text string // what was wrong; "" where nothing was
}

// samples are calls in the order of their ends, and those under way. It is safe for concurrent use.
type samples struct {
	start   time.Time
	mu      sync.Mutex // guards the rest
	done    []sample
	running map[int]time.Duration // number of a call -> when it was made
	next    int
}

func newSamples() *samples { return &samples{start: time.Now(), running: map[int]time.Duration{}} }

func (s *samples) now() time.Duration { return time.Since(s.start) }

// begin notes a call; what it gives notes the end of it.
func (s *samples) begin(what string) (end func(Verdict, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, at := s.next, s.now()
	s.next++
	s.running[n] = at
	return func(v Verdict, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, n)
		s.done = append(s.done, sample{what, at, s.now() - at, v, text})
	}
}

func (s *samples) seen() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

// lastBad is the end of the last call that was made from a time on and was not right or took longer than limit; now, for one that is under way for longer.
func (s *samples) lastBad(from, limit time.Duration) (last time.Duration, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.done {
		if d.At >= from && (d.Verdict != Right || d.Took > limit) {
			last, any = max(last, d.At+d.Took), true
		}
	}
	for _, at := range s.running {
		if at >= from && s.now()-at > limit {
			last, any = s.now(), true
		}
	}
	return last, any
}

// between keeps the calls that were made in a part of the run.
func between(list []sample, from, to time.Duration) (part []sample) {
	for _, s := range list {
		if s.At >= from && s.At < to {
			part = append(part, s)
		}
	}
	return part
}

// p99 is how long 99 of 100 calls took at most that the filter lets through; 0 where there are none.
func p99(list []sample, filter func(Verdict) bool) time.Duration {
	var took []time.Duration
	for _, s := range list {
		if filter(s.Verdict) {
			took = append(took, s.Took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[(len(took)*99+99)/100-1]
}

func isRight(v Verdict) bool  { return v == Right }
func notRight(v Verdict) bool { return v != Right }

// count gives the calls by verdict.
func count(list []sample) (n [verdicts]int) {
	for _, s := range list {
		n[min(s.Verdict, verdicts-1)]++
	}
	return n
}

// texts are what was wrong, the most frequent first.
func texts(list []sample, most int) []textCount {
	counts := map[string]int{}
	for _, s := range list {
		if s.Verdict != Right {
			counts[s.What+": "+s.Text]++
		}
	}
	var sorted []textCount
	for text, n := range counts {
		sorted = append(sorted, textCount{text, n})
	}
	slices.SortFunc(sorted, func(a, b textCount) int { return cmp.Or(b.n-a.n, cmp.Compare(a.text, b.text)) })
	return sorted[:min(len(sorted), most)]
}

type textCount struct {
	text string
	n    int
}
