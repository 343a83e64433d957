package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// ending is what became of one item in one attempt: a result, or an error that says why the item has none.
type ending struct {
	result Result
	err    error
	kind   endingKind // of err

	written chan struct{} // closed when the result is in the store; nil: nobody waits for that
}

type endingKind uint8

const (
	failing endingKind = iota // the attempt has failed
	turned                    // the pipeline turns items away, or the store is away: later, without the loss of an attempt
	gone                      // the item's bytes are not there any more: no attempt can succeed
	left                      // the attempt is over
)

// item answers one item; alone: while no other item of a job is at work in this process.
func (a *attempt) item(index int, alone bool) (e ending) {
	defer func() {
		if p := recover(); p != nil {
			e = ending{err: fmt.Errorf("panic: %v", p)}
		}
	}()
	item := a.job.Items[index]
	weight := min(max(item.Size, 1), a.Limits.Memory)
	if alone {
		weight = a.Limits.Memory
	}
	if err := a.held.Acquire(a.ctx, weight); err != nil {
		return ending{err: errLeft, kind: left}
	}
	defer a.held.Release(weight)
	if a.isClosed() {
		return ending{err: errLeft, kind: left}
	}
	data, err := a.Store.Blob(a.ctx, item.Blob)
	switch {
	case a.ctx.Err() != nil:
		return ending{err: errLeft, kind: left}
	case fault.KindOf(err) == fault.NotFound || err == nil && int64(len(data)) != item.Size:
		return ending{err: fault.New(fault.Internal, "input_lost", "the bytes of item %d are not in the store any more; hand the job in again", index).Wrap(err), kind: gone}
	case err != nil && away(err):
		return ending{err: err, kind: turned}
	case err != nil:
		return ending{err: err}
	}
	request, err := a.Decoder.Decode(&a.job.Spec, index, data)
	if err != nil {
		return a.failure(index, err)
	}
	if body := request.Item.Image; body != nil {
		defer body.Release()
	}
	return a.answer(index, request)
}

// answer runs a request, and again while the pipeline turns it away.
func (a *attempt) answer(index int, request *pipeline.Request) ending {
	for try := 0; ; try++ {
		if wait := a.calm.wait(a.Now()); wait > 0 && !a.stay(wait) {
			return ending{err: errLeft, kind: left}
		}
		ctx, cancel := context.WithTimeout(priority.With(a.ctx, a.job.Priority.Class()), a.Limits.Timeout)
		answer, err := a.Runner.Run(ctx, request)
		cancel()
		if err == nil {
			a.calm.over()
			return ending{result: Result{Index: index, Body: document(answer)}}
		}
		if a.ctx.Err() != nil {
			return ending{err: errLeft, kind: left}
		}
		if !notNow(err) {
			return a.failure(index, err)
		}
		if !a.calm.begin(a.Now(), err, try, a.Limits.Pause) {
			return ending{err: err, kind: turned}
		}
	}
}

// failure tells an item whose input is bad from an attempt that has failed.
func (a *attempt) failure(index int, err error) ending {
	if !fault.KindOf(err).Retryable() {
		if body, poison := a.Problem(&a.job.Spec, index, err); poison {
			return ending{result: Result{Index: index, Body: body, Bad: true}}
		}
	}
	return ending{err: err}
}

// document completes an answer as infer does.
func document(a *pipeline.Answer) []byte {
	b := make([]byte, 0, len(a.Body)+len("false}"))
	b = append(b, a.Body...)
	if a.FromCache {
		return append(b, "true}"...)
	}
	return append(b, "false}"...)
}

// notNow reports whether nothing was tried: too much is under way, or no server is there.
func notNow(err error) bool {
	switch fault.KindOf(err) {
	case fault.Busy, fault.RateLimited, fault.Draining, fault.Unavailable:
		return true
	}
	return false
}

// stay waits, and reports whether the attempt goes on.
func (a *attempt) stay(d time.Duration) bool {
	return await(a.ctx, a.closed, d) && !a.isClosed()
}

// calm is the pause that the items of a job make together when one is turned away.
type calm struct {
	mu    sync.Mutex
	since time.Time // of the first one that was turned away since one was answered; zero: none
	until time.Time
}

func (c *calm) wait(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until.Sub(now)
}

func (c *calm) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.until = time.Time{}, time.Time{}
}

// begin lets the items wait. It reports false where they have waited for most already.
func (c *calm) begin(now time.Time, err error, try int, most time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		c.since = now
	}
	if now.Sub(c.since) >= most {
		return false
	}
	d := min(50*time.Millisecond<<min(try, 8), 5*time.Second)
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 {
		d = min(max(f.RetryAfter, 10*time.Millisecond), 5*time.Second)
	}
	if end := now.Add(d/2 + spread(d/2)); end.After(c.until) {
		c.until = end
	}
	return true
}
