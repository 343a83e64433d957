package canary

import (
	"fmt"
	"sync"
	"time"
)

// Move is what is to be done with the new version's share.
type Move uint8

// The moves.
const (
	Stay     Move = iota
	Up            // to the next step
	Back          // to nothing, at once
	Finished      // the last step has been good for its time
)

// Canary is a run of one new version beside one control. Safe for concurrent use.
type Canary struct {
	spec Spec

	mu    sync.Mutex
	judge judge
	step  int
	since time.Duration
	ended Move
	rule  string
	pairs float64 // compared inputs that a step takes at least
}

// New begins a run at a step of a spec that is complete. now is the time since any moment, the same for all calls.
func New(spec Spec, step int, now time.Duration) *Canary {
	return &Canary{spec: spec, step: min(max(step, 0), len(spec.Steps)-1), since: now, judge: judge{guard: spec.Guard, began: now}}
}

// Share is the percentage of the present step; 0 after Back.
func (c *Canary) Share() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == Back {
		return 0
	}
	return c.spec.Steps[c.step]
}

// Step is the index of the present step.
func (c *Canary) Step() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.step
}

// Need has every step take at least so many compared inputs, so that nothing goes up that nobody has compared, because there was no room for that.
func (c *Canary) Need(pairs int) {
	c.mu.Lock()
	c.pairs = float64(pairs)
	c.mu.Unlock()
}

// Go takes it to a step that others have decided, or back to one that it has left in vain: from there it goes on. What is known of the control's failures stays, and so does what
// speaks for the new version.
func (c *Canary) Go(step int, now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step = min(max(step, 0), len(c.spec.Steps)-1)
	if step == c.step && c.ended == Stay {
		return
	}
	c.step, c.ended, c.rule, c.since = step, Stay, "", now
	c.judge.look(now)
	c.judge = c.judge.next(now)
}

// Answered notes that a side has answered, in such a time, below 0 where that is not known, or has failed by its own fault. The control's answers to inputs that it was only asked for to compare count too: at the last
// step there are no others.
func (c *Canary) Answered(side Side, now, took time.Duration, failed bool) {
	c.mu.Lock()
	c.judge.answered(side, now, took, failed)
	c.mu.Unlock()
}

// Compared notes whether both sides have answered the same input alike.
func (c *Canary) Compared(alike bool) {
	c.mu.Lock()
	c.judge.agreed(alike)
	c.mu.Unlock()
}

// Next says what is to be done now, and why; it is to be asked about every second. A move has been made when it is told.
func (c *Canary) Next(now time.Duration) (Move, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, reason := c.watch(now); m != Stay || c.ended != Stay {
		return m, reason
	}
	j := &c.judge
	all := j.totals[Candidate]
	all.add(j.spans[Candidate])
	if now-c.since < time.Duration(c.spec.Every) || all.calls < float64(c.spec.Samples) || j.pairs.calls < c.pairs {
		return Stay, ""
	}
	reason := fmt.Sprintf("good at %v %% for %v: %.0f answers, %.0f failures, %.0f of %.0f compared inputs answered otherwise", c.spec.Steps[c.step],
		(now - c.since).Round(time.Second), all.calls, all.failures, j.pairs.failures, j.pairs.calls)
	if c.step == len(c.spec.Steps)-1 {
		c.ended = Finished
		return Finished, reason
	}
	c.step++
	c.since = now
	c.judge = c.judge.next(now)
	return Up, reason
}

// Watch is Next for one that is not to go up now: it says Stay, or Back.
func (c *Canary) Watch(now time.Duration) (Move, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.watch(now)
}

func (c *Canary) watch(now time.Duration) (Move, string) {
	if c.ended != Stay {
		return Stay, ""
	}
	c.judge.look(now)
	rule, reason := c.judge.bad()
	if rule == "" {
		return Stay, ""
	}
	c.ended, c.rule = Back, rule
	return Back, reason
}
