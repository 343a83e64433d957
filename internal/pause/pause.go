// Package pause waits. It exists because whoever waits in this program may be told to stop, and each of them would write the same timer otherwise.
package pause

import (
	"context"
	"time"
)

// For waits for d and gives true, or until ctx ends, and gives false. A d of 0 or less does not wait.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
