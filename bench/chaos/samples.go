package chaos

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Sample is one call.
type Sample struct {
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
	done    []Sample
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
		s.done = append(s.done, Sample{what, at, s.now() - at, v, text})
	}
}

// Seen are the calls that have ended.
func (s *samples) Seen() []Sample {
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
func between(list []Sample, from, to time.Duration) (part []Sample) {
	for _, s := range list {
		if s.At >= from && s.At < to {
			part = append(part, s)
		}
	}
	return part
}

// P99 is how long 99 of 100 calls took at most that the filter lets through; 0 where there are none.
func P99(list []Sample, filter func(Verdict) bool) time.Duration {
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

// Count gives the calls by verdict.
func Count(list []Sample) (n [verdicts]int) {
	for _, s := range list {
		n[min(s.Verdict, verdicts-1)]++
	}
	return n
}

// Texts are what was wrong, the most frequent first.
func Texts(list []Sample, most int) []TextCount {
	counts := map[string]int{}
	for _, s := range list {
		if s.Verdict != Right {
			counts[s.What+": "+s.Text]++
		}
	}
	var sorted []TextCount
	for text, n := range counts {
		sorted = append(sorted, TextCount{text, n})
	}
	slices.SortFunc(sorted, func(a, b TextCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Text, b.Text)) })
	return sorted[:min(len(sorted), most)]
}

// TextCount says how often something went wrong.
type TextCount struct {
	Text string
	N    int
}
