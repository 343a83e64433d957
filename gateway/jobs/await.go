package jobs

import (
	"context"
	"time"
)

// await waits for news, or for the time to be over, and reports whether ctx is still alive. A channel that is closed is news for ever.
func await(ctx context.Context, news <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}
