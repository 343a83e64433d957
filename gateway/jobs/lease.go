package jobs

import (
	"context"
	"errors"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// lost reports whether another has the job, or nobody.
func lost(err error) bool {
	k := fault.KindOf(err)
	return k == fault.Conflict || k == fault.NotFound
}

// away reports whether the store may take the same later: it is not there, too slow, or full.
func away(err error) bool {
	k := fault.KindOf(err)
	return k.Retryable() || k == fault.Canceled || errors.Is(err, &fault.Error{Code: "job_store_full"}) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// call bounds one write: two fit into what a lease lasts.
func (a *attempt) call() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(a.ctx), a.term*4/10)
}

// extend prolongs the lease and writes the results that wait. Where the lease is lost, the items are stopped and nothing is written any more.
func (a *attempt) extend() {
	if !a.open {
		return
	}
	ctx, cancel := a.call()
	defer cancel()
	asked := a.Now()
	canceled, err := a.Store.Extend(ctx, a.lease, a.term, a.pending)
	a.flush.Stop()
	switch {
	case err == nil:
		a.pending, a.bytes = nil, 0
		for _, written := range a.waiting {
			close(written)
		}
		a.waiting = nil
		a.until, a.flushed = asked.Add(a.term), a.Now()
		a.hub.notify(a.job.ID)
		if canceled {
			a.verdict.canceled = true
			a.close(true)
		}
	case lost(err):
		a.abandon("the lease of a job is lost", err)
	case !away(err):
		a.refused(err)
	case a.Now().After(a.until):
		a.abandon("the lease of a job could not be prolonged", err)
	default:
		a.flush.Reset(flushAfter)
	}
}

// abandon leaves the job as it is, for whoever has it now or takes it next.
func (a *attempt) abandon(why string, err error) {
	a.note(why, err)
	a.open, a.pending = false, nil
	a.close(true)
}

// refused: the store does not take these results, now or ever. The attempt has failed.
func (a *attempt) refused(err error) {
	a.note("the store refuses results", err)
	a.pending, a.bytes = nil, 0
	a.verdict.refused = true
	a.verdict.failed(ending{err: err})
	a.close(true)
}

// settle ends the lease with the verdict, and tries until it is known to be ended or over.
func (a *attempt) settle() {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		o := a.verdict.outcome(a)
		ctx, cancel := a.call()
		err := a.Store.Settle(ctx, a.lease, o, a.pending)
		cancel()
		switch {
		case err == nil:
			a.settled(o)
			return
		case lost(err):
			a.abandon("the lease of a job is lost", err)
			return
		case !away(err) && !a.verdict.refused:
			a.refused(err)
		case a.Now().After(a.until):
			a.abandon("the end of a lease could not be written", err)
			return
		default:
			pause.For(context.WithoutCancel(a.ctx), wait)
		}
	}
}

func (a *attempt) settled(o Outcome) {
	ran := a.Now().Sub(a.began)
	if n := a.verdict.done - a.job.Done; n > 0 {
		a.learn(a.job, n, ran)
	}
	if a.Observer != nil {
		a.Observer.Settled(a.job, o, ran)
	}
	switch {
	case !o.State.Final():
		a.woken()
	case a.job.Webhook != "":
		a.tells.mine(a.job.ID)
	}
	a.hub.notify(a.job.ID)
}
