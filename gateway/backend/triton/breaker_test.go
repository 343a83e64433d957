package triton

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Minute
	enter := func(want bool) (trial bool) {
		t.Helper()
		allowed := b.allows(now)
		trial, ok := b.enter(now)
		if ok != want || allowed != want {
			t.Fatalf("at %v: allows %v, lets through %v, want %v", now, allowed, ok, want)
		}
		return trial
	}
	fail := func(n int, opens bool) {
		t.Helper()
		for i := range n {
			if got := b.failure(now, enter(true), breakAfter); got != (opens && i == n-1) {
				t.Fatalf("failure %d of %d opens it: %v", i+1, n, got)
			}
		}
	}
	fail(breakAfter-1, false)
	b.success()
	fail(breakAfter-1, false) // not in a row with those before
	fail(1, true)
	if enter(false); b.rest(now) != firstBreak {
		t.Errorf("it rests for %v", b.rest(now))
	}
	if b.failure(now, false, breakAfter) {
		t.Error("a call that began before it opened opens it again")
	}
	// Trials that fail double the pause, up to a bound.
	for _, pause := range []time.Duration{1, 2, 4, 8, 10, 10} {
		now += pause*time.Second - 1
		enter(false)
		now++
		if trial := enter(true); !trial {
			t.Fatal("not a trial")
		}
		enter(false) // one at a time
		b.neutral(true)
		if !b.failure(now, enter(true), breakAfter) {
			t.Fatal("a trial that fails does not open it")
		}
	}
	now += longestBreak
	enter(true)
	b.success()
	enter(true)
	enter(true)
	if b.rest(now) != 0 {
		t.Errorf("closed, and rests for %v", b.rest(now))
	}
	fail(breakAfter, true) // from the start again
	if b.rest(now) != firstBreak {
		t.Errorf("it rests for %v", b.rest(now))
	}
}
