package triton

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// tailOf answers, the latest, say what is slow; it is worked out anew after every tailEvery.
	tailOf    = 256
	tailEvery = 32
	// tailShare is the share of calls that are not slow.
	tailShare = 0.95
)

// tail follows the latencies of a model.
type tail struct {
	slow atomic.Int64 // ns; 0: not known yet

	mu    sync.Mutex
	ring  [tailOf]time.Duration
	count int
}

// add notes the time of an answer.
func (t *tail) add(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.count%tailOf] = took
	t.count++
	if t.count%tailEvery != 0 {
		return
	}
	sorted := t.ring
	known := sorted[:min(t.count, tailOf)]
	slices.Sort(known)
	t.slow.Store(int64(known[int(tailShare*float64(len(known)))]))
}

// result is what came of one of two calls.
type result struct {
	again  elsewhere
	err    error
	answer *inferResponse
	turn   *turn
}

// inferHedged makes a call, and a second one elsewhere when the first takes longer than most. The first answer counts; the other call is cancelled. The request's
// memory is retained until both have ended here; from there on the transport keeps it.
func (c *Client) inferHedged(ctx context.Context, p *pool, t turn, request *inferRequest, answer *inferResponse) error {
	now := c.nanos()
	c.hedges.called(now)
	slow := time.Duration(p.tail.slow.Load())
	if slow == 0 {
		return c.inferTwice(ctx, p, t, request, answer)
	}
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 2)
	call := func(t turn) {
		if request.memory != nil {
			request.memory.Retain()
		}
		c.minding.Go(func() {
			if request.memory != nil {
				defer request.memory.Release()
			}
			r := result{answer: new(inferResponse), turn: &t}
			r.again, r.err = c.attempt(both, p, &t, request, r.answer)
			results <- r
		})
	}
	call(t)
	timer := time.NewTimer(slow)
	defer timer.Stop()
	running := 1
	for {
		select {
		case <-timer.C:
			now := c.nanos()
			second, v := p.grab(c, now, t.lane.e)
			if v != found {
				continue
			}
			if !c.hedges.allow(now) {
				p.giveBack(c, &second)
				continue
			}
			second.lane.e.hedges.Add(1)
			call(second)
			running++
		case r := <-results:
			running--
			if r.err == nil {
				*answer = *r.answer
				return nil
			}
			if running > 0 {
				continue // the other may still answer
			}
			if r.again == never || ctx.Err() != nil || r.turn.lane.e != t.lane.e { // the second was a second already
				return translate(ctx, r.err)
			}
			second, found := c.secondTurn(ctx, p, r.turn, r.again)
			if !found {
				return translate(ctx, r.err)
			}
			if _, err := c.attempt(ctx, p, &second, request, answer); err != nil {
				return translate(ctx, err)
			}
			return nil
		}
	}
}
