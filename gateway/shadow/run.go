package shadow

import (
	"context"
	"errors"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// errLeft is the failure of a function that ended its goroutine.
var errLeft = errors.New("the shadow's goroutine was ended from within")

// work does one run in its own goroutine. Its place is given on whatever the offer's functions do: return, panic or end the goroutine.
func (r *Runner) work(w *run) {
	defer r.leave(w)
	e := Event{Pair: w.Pair, Outcome: Failed, Err: errLeft}
	defer func() { r.finish(w, e) }()
	if err := guard(func() error { return r.run(w, &e) }); err != nil {
		e = Event{Pair: w.Pair, Outcome: Failed, Took: e.Took, Err: err}
	}
}

// run asks the shadow and compares. e is how it went, the error is a panic's.
func (r *Runner) run(w *run, e *Event) error {
	if r.ended.Err() != nil {
		e.Outcome, e.Err = DroppedClosed, nil
		return nil
	}
	if r.overtaken(w) {
		e.Outcome, e.Err = DroppedLate, nil
		return nil
	}
	if w.budget == nil && r.options.Idle != nil && !r.options.Idle() {
		e.Outcome, e.Err = DroppedLoad, nil
		return nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, r.options.Timeout)
	defer cancel()
	defer context.AfterFunc(r.ended, cancel)()
	answer, err := w.ask(ctx, &e.Took)
	if w.Alone != nil {
		e.Alone = w.Alone()
	}
	switch at := ctx.Err(); {
	case errors.Is(err, ErrNoRoom) && !errors.Is(at, context.Canceled): // nobody was asked, so that nobody was late
		e.Outcome, e.Err = DroppedLoad, nil
		return nil
	case at == nil && fault.KindOf(err) == fault.Timeout: // a server that knows the deadline has looked at its own clock
		e.Outcome, e.Err = TimedOut, err
		return nil
	case at == nil && err != nil:
		e.Err = err
		return nil
	case errors.Is(at, context.Canceled):
		e.Outcome, e.Err = DroppedClosed, nil
		return nil
	case at != nil: // an answer that comes too late is none, however it was made
		e.Outcome, e.Err = TimedOut, fault.Ended(at, "while a shadow ran")
		return nil
	}
	primary, err := w.Primary()
	if err != nil {
		e.Err = err
		return nil
	}
	tolerance := Tolerance(w.Task)
	if w.Tolerance != nil {
		tolerance = *w.Tolerance
	}
	c := Compare(w.Task, &primary, &answer, tolerance)
	r.keep(w, c, &primary, &answer)
	e.Outcome, e.Comparison, e.Err = Compared, c, nil
	return nil
}

// ask notes the time that the shadow takes, to a panic too.
func (w *run) ask(ctx context.Context, took *time.Duration) (postprocess.Result, error) {
	began := time.Now()
	defer func() { *took = time.Since(began) }()
	if w.budget != nil && w.Insist != nil {
		return w.Insist(ctx)
	}
	return w.Ask(ctx)
}

// finish releases, counts and tells, in this order, so that whoever is told may count on the release. A panic on the way is counted as a failure of its own and hurts nobody.
func (r *Runner) finish(w *run, e Event) {
	released := guard(func() error {
		if w.Release != nil {
			w.Release()
		}
		return nil
	})
	if released != nil && e.Err == nil {
		e.Outcome, e.Err = Failed, released
	}
	r.tell(e)
}

// tell counts, and tells who observes.
func (r *Runner) tell(e Event) {
	r.count(e)
	if r.options.Observe != nil {
		_ = guard(func() error { r.options.Observe(e); return nil })
	}
}

// keep puts a disagreement among the worst. Its item is made outside of the lock: it may take time.
func (r *Runner) keep(w *run, c Comparison, primary, shadow *postprocess.Result) {
	if c.Alike || !r.among(w.Pair.Route, c.Distance) {
		return
	}
	d := Disagreement{Pair: w.Pair, Time: time.Now(), Comparison: c}
	if w.Item != nil {
		d.Item, d.Bytes = w.Item(primary, shadow)
		d.Bytes = max(d.Bytes, 0)
	}
	r.insert(d)
}

// guard turns a panic into an error.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "internal", "a shadow panicked: %v", p)
		}
	}()
	return do()
}
