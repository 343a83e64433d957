package priority

import (
	"sync/atomic"
	"time"
)

// Rules say how the classes share what they wait for. What is 0 has its default.
type Rules struct {
	// Weights say how often each class is served, by Index, while all of them wait: 16, 4 and 1 are 16, 4 and 1 of 21.
	Weights [Classes]int
	// Ageing is how long somebody waits at most until those who came later are held back: every fourth place then goes to who waits longest.
	Ageing time.Duration
}

// MostWeight bounds a weight.
const MostWeight = 1000

// DefaultAgeing is that of rules that do not say.
const DefaultAgeing = 5 * time.Second

// Defaults are the rules of a line that was not given any.
func Defaults() Rules { return Rules{Weights: [Classes]int{16, 4, 1}, Ageing: DefaultAgeing} }

func (r *Rules) weight(i int) uint64 {
	if w := r.Weights[i]; w > 0 {
		return uint64(min(w, MostWeight))
	}
	return uint64(Defaults().Weights[i])
}

func (r *Rules) ageing() time.Duration {
	if r.Ageing > 0 {
		return r.Ageing
	}
	return DefaultAgeing
}

// Policy is what lines of one kind have in common.
type Policy struct {
	Rules
	Meter *Meter // nil: nobody counts
}

// Meter counts what becomes of each class. Safe for concurrent use.
type Meter struct{ of [Classes]counts }

type counts struct {
	waits, refused atomic.Uint64
	waited         atomic.Int64
}

// Figures are what a Meter has of one class, since its start.
type Figures struct {
	Waits   uint64        // that ended with a turn
	Waited  time.Duration // of these, together
	Refused uint64        // turned away: the line was full, or somebody more urgent took the place in it
}

// Figures gives those of each class, by Index.
func (m *Meter) Figures() (all [Classes]Figures) {
	for i := range m.of {
		c := &m.of[i]
		all[i] = Figures{c.waits.Load(), time.Duration(c.waited.Load()), c.refused.Load()}
	}
	return all
}

// Refused counts somebody who was turned away. m may be nil.
func (m *Meter) Refused(c Class) {
	if m != nil {
		m.of[c.Index()].refused.Add(1)
	}
}

func (m *Meter) served(c Class, waited time.Duration) {
	if m != nil {
		m.of[c.Index()].waits.Add(1)
		m.of[c.Index()].waited.Add(int64(waited))
	}
}
