package h2

import (
	"context"
	"sync"
	"time"

	"triton-gateway/internal/edge"
)

// interrupt ends a write that waits when its call ends.
type interrupt struct {
	set   func(time.Time) error // the deadline of writes
	grace time.Duration         // how long it may go on
	stall time.Duration         // how long it may wait in any case; 0: for ever
	rate  edge.Rate             // beside what its bytes may take at this rate
	mu    sync.Mutex
	turn  uint64 // counts those that were cut short
	fired bool
}

// arm has what follows, n bytes, cut short when ctx ends.
func (i *interrupt) arm(ctx context.Context, n int) (stop func() bool) {
	if i.stall > 0 {
		wait := i.stall
		if i.rate > 0 {
			wait += i.rate.For(n)
		}
		_ = i.set(time.Now().Add(wait))
	}
	if ctx.Done() == nil {
		return nil
	}
	i.mu.Lock()
	turn := i.turn
	i.mu.Unlock()
	return context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.turn != turn {
			return
		}
		i.fired = true
		at := time.Unix(1, 0)
		if i.grace > 0 {
			at = time.Now().Add(i.grace)
		}
		_ = i.set(at)
	})
}

// disarm ends that, and says whether ctx did. stop is what arm gave.
func (i *interrupt) disarm(stop func() bool) bool {
	if stop == nil || stop() {
		if i.stall > 0 {
			_ = i.set(time.Time{})
		}
		return false
	}
	i.mu.Lock() // ctx has ended: either the deadline is set, or it will not be
	defer i.mu.Unlock()
	i.turn++
	fired := i.fired
	i.fired = false
	if fired || i.stall > 0 {
		_ = i.set(time.Time{})
	}
	return fired
}
