package edge

import (
	"time"

	"triton-gateway/internal/fault"
)

// Rate is the least that has to pass, in bytes a second. 0: only standing still is too slow.
type Rate int64

const (
	// Grace is how long a body may take to begin.
	Grace = 3 * time.Second
	// Slack is the longest that nothing may pass: who was faster than the rate may rest so long, and not longer.
	Slack = 10 * time.Second
	// step is how far a deadline has to move to be worth setting anew.
	step = 500 * time.Millisecond
)

// For is the time that n bytes may take.
func (r Rate) For(n int) time.Duration {
	if r <= 0 {
		return Slack
	}
	if most := int64(r) * int64(Slack/time.Second); int64(n) >= most {
		return time.Duration(min(int64(n)/int64(r), 1<<32) * int64(time.Second))
	}
	return time.Duration(int64(n) * int64(time.Second) / int64(r))
}

// Pace is a transfer under a rate: a bucket of time that bytes fill and the clock empties. The zero value is not useful; see [Begin].
type Pace struct {
	rate       Rate
	until, set time.Time
}

// Begin starts a transfer that may take Grace to begin.
func Begin(r Rate, now time.Time) Pace {
	return Pace{rate: r, until: now.Add(Grace)}
}

// Took notes n bytes that have passed.
func (p *Pace) Took(n int, now time.Time) {
	if n <= 0 {
		return
	}
	p.until = p.until.Add(min(p.rate.For(n), Slack))
	if last := now.Add(Slack); p.until.After(last) {
		p.until = last
	}
}

// Late says that too little has passed.
func (p *Pace) Late(now time.Time) bool { return now.After(p.until) }

// Until is when the next byte has to have passed.
func (p *Pace) Until() time.Time { return p.until }

// TooSlow is what the client of a body is told that came too slowly.
func TooSlow(r Rate) *fault.Error {
	if r <= 0 {
		return fault.New(fault.Timeout, "body_too_slow", "nothing of the body came for %d seconds; send it again, without a rest", Slack/time.Second).At("body", "too slow")
	}
	return fault.New(fault.Timeout, "body_too_slow", "the body came too slowly: it has to begin within %d seconds and to come at %d bytes a second (limits.body_rate), with no rest above %d seconds",
		Grace/time.Second, r, Slack/time.Second).At("body", "too slow")
}

// Moved says whether the deadline is worth setting anew since Moved last said so, which it does the first time.
func (p *Pace) Moved() bool {
	if !p.set.IsZero() && p.until.Sub(p.set) < step {
		return false
	}
	p.set = p.until
	return true
}
