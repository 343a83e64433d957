package limit

import (
	"context"
	"time"

	"triton-gateway/internal/priority"
)

// Expect estimates in what time a caller that asks now would be done: those before it and itself, each round of capacity callers taking
// the smoothed time of one. It is 0 where the caller would run at once, and while no caller has ended yet.
func (l *Limiter) Expect(ctx context.Context) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.capacity && l.line.Len() == 0 {
		return 0
	}
	rounds := 1 + float64(l.line.Before(priority.From(ctx))+1)/float64(l.capacity)
	return time.Duration(min(float64(l.hold)*rounds, float64(longest)))
}
