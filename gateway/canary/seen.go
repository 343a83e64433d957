package canary

import "time"

// Seen is what a canary knows at its present step.
type Seen struct {
	Step  int
	Since time.Duration // when the step began
	Sides [2]Answers    // by Side
	Pairs Answers       // inputs that both have answered; failures: otherwise
	// Evidence of each rule, by its name: from -0.5 to 1, and above 1 the rule sends the new version back. Rules that are off are missing.
	Evidence map[string]float64
	Rule     string // that has sent it back; "" where none has
}

// Answers are the answers of a side, and how many of them were failures.
type Answers struct{ Calls, Failures int }

// Seen gives what is known now.
func (c *Canary) Seen() Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := &c.judge
	s := Seen{Step: c.step, Since: c.since, Pairs: j.pairs.answers(), Evidence: map[string]float64{}, Rule: c.rule}
	for side := range s.Sides {
		all := j.totals[side]
		all.add(j.spans[side])
		s.Sides[side] = all.answers()
	}
	for _, r := range []struct {
		name   string
		bound  float64
		weight float64
	}{{ByErrors, j.guard.Errors, j.failing}, {BySlower, j.guard.Slower, j.slow}, {ByDisagreement, j.guard.Disagreement, j.differs}} {
		if r.bound >= 0 {
			s.Evidence[r.name] = r.weight / decisive
		}
	}
	return s
}

func (c counts) answers() Answers { return Answers{int(c.calls), int(c.failures)} }
