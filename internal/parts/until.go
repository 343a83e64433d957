package parts

import (
	"testing"
	"time"
)

// Until waits for a condition that another goroutine or process brings about and that nobody tells of: it looks every few milliseconds, in the goroutine of the
// caller, and fails the test when the condition does not hold within the time. what completes "still not".
func Until(tb testing.TB, what string, within time.Duration, condition func() bool) {
	tb.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("still not after %v: %s", within, what)
		}
	}
}
