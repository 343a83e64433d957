package canary

import (
	"fmt"
	"math"
	"time"
)

// Each rule is a sequential probability ratio test (Wald 1945): the evidence that the new version is bad, against that it is as good as the control, is weighed anew after each
// span, and doubt is about the chance of calling a good one bad, whenever one looks. Both sides are compared within a span: what befalls the machine befalls both.
const (
	decisive = 5.3 // evidence above which a rule decides: ln((1 - 0.01) / doubt), doubt 0.005
	span     = 2 * time.Second
	rare     = 0.005 // share of failures that any server may have
	known    = 20    // calls for which that counts
	worse    = 3     // times the failures that are allowed besides is what a bad version has
)

// Side is who answered.
type Side uint8

// The two sides.
const (
	Control Side = iota
	Candidate
)

// judge holds what is known of both sides since the last step, but for the control's rate of failures, which it has of all steps. Not safe for concurrent use.
type judge struct {
	guard   Guard
	began   time.Duration // the present span
	spans   [2]counts
	totals  [2]counts
	usual   counts       // of the control, over all steps
	took    [2][]float64 // answers that have yet to be compared, seconds
	pairs   counts       // inputs that both have answered; failures: otherwise
	failing float64      // evidence of each rule
	slow    float64
	differs float64
	ratio   float64 // of the last span that was slow
}

type counts struct{ calls, failures float64 }

func (c *counts) add(o counts) { c.calls += o.calls; c.failures += o.failures }

func (c *counts) percent() float64 { return 100 * c.failures / max(c.calls, 1) }

// next is a judge of the next step.
func (j *judge) next(now time.Duration) judge {
	return judge{guard: j.guard, began: now, usual: j.usual, failing: min(j.failing, 0), slow: min(j.slow, 0), differs: min(j.differs, 0)}
}

// answered notes an answer. at is the time since any moment, the same for all; took is not looked at where the call failed, and unknown below 0.
func (j *judge) answered(side Side, at, took time.Duration, failed bool) {
	j.look(at)
	c := &j.spans[side]
	c.calls++
	if failed {
		c.failures++
		return
	}
	if took < 0 {
		return
	}
	if t := &j.took[side]; len(*t) < 10_000 {
		*t = append(*t, took.Seconds())
	}
}

// agreed notes what a comparison of both sides' answers to one input gave.
func (j *judge) agreed(yes bool) {
	hits := 1.0
	if yes {
		hits = 0
	}
	j.pairs.add(counts{1, hits})
	if usual := max(j.guard.Disagreement, 0.01); j.guard.Disagreement >= 0 {
		j.differs = bounded(j.differs + weigh(hits, 1, usual, min(usual+0.2, 0.95)))
	}
}

// look ends the span if its time is over.
func (j *judge) look(now time.Duration) {
	if now < j.began+span {
		return
	}
	j.began = now
	j.compareFailures()
	j.compareTimes()
	for side := range j.spans {
		j.totals[side].add(j.spans[side])
	}
	j.usual.add(j.spans[Control])
	j.spans = [2]counts{}
}

// The rules, by their names in the spec.
const (
	ByErrors       = "errors"
	BySlower       = "slower"
	ByDisagreement = "disagreement"
)

// bad is the rule that speaks for going back, and why; "" where there is none.
func (j *judge) bad() (rule, reason string) {
	switch {
	case j.failing > decisive:
		return ByErrors, fmt.Sprintf("%.1f %% of its calls fail, %.1f %% of the control's", j.totals[Candidate].percent(), j.totals[Control].percent())
	case j.differs > decisive:
		return ByDisagreement, fmt.Sprintf("%.0f of %.0f inputs are answered otherwise than by the control", j.pairs.failures, j.pairs.calls)
	case j.slow > decisive:
		return BySlower, fmt.Sprintf("it takes %.1f times as long as the control", j.ratio)
	}
	return "", ""
}

// compareFailures asks, of all failures in a span, how many should have been the new version's. That does not depend on how often both fail, which changes with the weather:
// given their sum, they are spread by the calls if both are as good, and by the calls times the odds if not.
func (j *judge) compareFailures() {
	old, young := &j.spans[Control], &j.spans[Candidate]
	if j.guard.Errors < 0 || young.calls == 0 {
		return
	}
	before := (j.usual.failures + rare*known) / (j.usual.calls + known)
	if old.calls == 0 {
		j.failing = bounded(j.failing + weigh(young.failures, young.calls, min(before, 0.9), min(before+worse*j.guard.Errors, 0.95)))
		return
	}
	calls, failures := old.calls+young.calls, old.failures+young.failures
	odds := 1 + worse*j.guard.Errors/max(before, failures/calls)
	j.failing = bounded(j.failing + young.failures*math.Log(odds) - failures*math.Log((old.calls+young.calls*odds)/calls))
}

// bounded keeps good times from standing against bad ones for ever.
func bounded(evidence float64) float64 { return max(evidence, -decisive/2) }

// weigh is the evidence for chance is over chance usual, after so many hits of so many.
func weigh(hits, of, usual, is float64) float64 {
	return hits*math.Log(is/usual) + (of-hits)*math.Log((1-is)/(1-usual))
}
