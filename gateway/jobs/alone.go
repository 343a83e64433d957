package jobs

import (
	"fmt"

	"triton-gateway/internal/fault"
)

// A decoder in C that crashes on an item takes the whole process with it: no error is ever seen, and the job would come again for ever. So a job whose
// leases have ended twice in a row without a result goes on alone: one item at a time in the whole process, and each result is written before the next item is
// begun. Where it crashes again and again, the first item without a result is at fault.
const (
	aloneAfter = 2 // crashes
	// aloneItems is how many items are run that way. Those that were at work at the crash are among them: the ones that ran, those whose results waited to
	// be written, and those that ended meanwhile.
	aloneItems = flushCount + 2*16
)

// errCrowd gives a job back that is to run alone while another one does: its lease should not end with that one's.
var errCrowd = fault.New(fault.Busy, "queue_full", "another job that has lost its workers runs alone")

// isolate decides whether the attempt's first items run alone, and reports whether it may go on at all.
func (a *attempt) isolate() bool {
	if a.job.Crashes < aloneAfter || len(a.todo) == 0 {
		return true
	}
	if !a.lonely.CompareAndSwap(false, true) {
		a.verdict.later = errCrowd
		return false
	}
	a.apart = min(len(a.todo), max(aloneItems, flushCount+2*a.Limits.Parallel))
	return true
}

// alone runs the first items one after the other.
func (a *attempt) alone() {
	if a.apart == 0 {
		return
	}
	defer a.lonely.Store(false)
	for n := range a.apart {
		if a.isClosed() {
			return
		}
		a.next.Add(1)
		var e ending
		if index := a.todo[n]; n == 0 && a.job.Crashes >= a.Limits.Crashes {
			e = a.culprit(index)
		} else {
			e = a.item(index, true)
		}
		e.written = make(chan struct{})
		a.out <- e
		select {
		case <-e.written:
		case <-a.closed:
			return
		}
		if n == 0 && a.job.Crashes >= a.Limits.Crashes {
			return // it is found, the others are not suspected any more
		}
	}
}

// culprit is the result of an item that took its workers down.
func (a *attempt) culprit(index int) ending {
	err := fault.New(fault.Invalid, "worker_crashed", "the worker ended %d times in a row and had item %d at work each time, at last alone; the input seems to crash it, look at its bytes",
		a.job.Crashes, index)
	a.note("an item is given up", err)
	body, _ := a.Problem(&a.job.Spec, index, err)
	if body == nil {
		body = fmt.Appendf(nil, `{"code":%q,"detail":%q}`, err.Code, err.Detail)
	}
	return ending{result: Result{Index: index, Body: body, Bad: true}}
}
