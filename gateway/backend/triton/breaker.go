package triton

import (
	"sync/atomic"
	"time"
)

const (
	// breakAfter late answers of a model in a row on one endpoint, no more calls go there for a time.
	breakAfter = 5
	// breakAfterErrors errors of the model itself in a row do the same. They are more, for some models fail on inputs that are merely bad: one caller who
	// sends those must not take the model from the others.
	breakAfterErrors = 20
	firstBreak       = time.Second
	longestBreak     = 10 * time.Second
)

// breaker keeps calls away from a model that fails again and again on one endpoint. After a time it lets one call through: its success
// closes the breaker, its failure opens it for twice the time. No method takes a lock; the zero value is closed.
type breaker struct {
	failures atomic.Int32
	until    atomic.Int64 // when a trial may be made; 0: closed
	pause    atomic.Int64 // of the present opening
	trial    atomic.Bool  // one is under way
}

// allows reports whether a call might go through now.
func (b *breaker) allows(now time.Duration) bool {
	until := b.until.Load()
	return until == 0 || int64(now) >= until && !b.trial.Load()
}

// enter lets a call through or not. trial calls have to be given to exactly one of success, failure and neutral.
func (b *breaker) enter(now time.Duration) (trial, ok bool) {
	until := b.until.Load()
	if until == 0 {
		return false, true
	}
	ok = int64(now) >= until && b.trial.CompareAndSwap(false, true)
	return ok, ok
}

// success closes it.
func (b *breaker) success() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
	}
	if b.until.Load() != 0 {
		b.until.Store(0)
		b.trial.Store(false)
	}
}

// failure counts, and reports whether it opened, which is done after so many in a row. Calls that began before it opened count no more.
func (b *breaker) failure(now time.Duration, trial bool, after int32) (opened bool) {
	pause := int64(firstBreak)
	switch {
	case trial:
		pause = min(2*b.pause.Load(), int64(longestBreak))
	case b.until.Load() != 0:
		return false
	case b.failures.Add(1) < after:
		return false
	}
	b.pause.Store(pause)
	b.until.Store(int64(now) + pause)
	b.trial.Store(false)
	return true
}

// neutral ends a trial that has shown nothing.
func (b *breaker) neutral(trial bool) {
	if trial {
		b.trial.Store(false)
	}
}

// rest is how long it stays open; 0 where it is closed.
func (b *breaker) rest(now time.Duration) time.Duration {
	until := b.until.Load()
	if until == 0 {
		return 0
	}
	return max(time.Duration(until)-now, time.Millisecond)
}
