package gateway

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
)

// byteBudget bounds the bytes of all bodies that are in memory at the same time.
type byteBudget interface {
	// Acquire waits for n bytes. The caller calls release when the bytes are free again. Errors: Busy, Timeout where ctx ended first.
	Acquire(ctx context.Context, n int64) (release func(), err error)
}

// takeBytes takes n bytes of the budget. It waits a moment for others to finish, not longer.
func takeBytes(ctx context.Context, budget byteBudget, n int64) (release func(), err error) {
	short := &patience{Context: ctx}
	defer short.stop()
	release, err = budget.Acquire(short, n)
	if err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.TooLarge {
		err = fault.New(fault.Busy, "queue_full", "too many bytes of uploads are in work at this moment; come again in a second, or raise limits.bodies").After(time.Second).Wrap(err)
	}
	return release, err
}

// patience is a context that ends after waitForRoom, counted from the first time that somebody waits on it: where nobody has to wait, no timer is made.
type patience struct {
	context.Context
	timed  context.Context
	cancel context.CancelFunc
}

// Done starts the clock.
func (p *patience) Done() <-chan struct{} {
	if p.timed == nil {
		p.timed, p.cancel = context.WithTimeout(p.Context, waitForRoom)
	}
	return p.timed.Done()
}

// Err reports the end of the wait as well as that of the request.
func (p *patience) Err() error {
	if p.timed != nil {
		return p.timed.Err()
	}
	return p.Context.Err()
}

func (p *patience) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}
