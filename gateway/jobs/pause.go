package jobs

import (
	"context"
	"time"
)

// Pause waits, and reports whether ctx is still alive: false at once where it is not, or as soon as it ends.
func Pause(ctx context.Context, d time.Duration) bool { return await(ctx, nil, d) }

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
