package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	flushAfter = 200 * time.Millisecond // that a result waits to be written, at most
	flushCount = 32                     // results that wait, at most
	flushBytes = 1 << 20                // of their bodies, at most
	tolerated  = 8                      // items that may fail before the rest of a job is left to the next attempt
)

// attempt is one lease of a job. One goroutine owns it and is the only one to write to the store; others run the items.
type attempt struct {
	*Service
	job   *Job
	lease Lease
	began time.Time
	until time.Time // the lease holds at least until then
	open  bool      // the store may still be written to

	ctx    context.Context // of the items
	cancel context.CancelFunc
	out    chan ending
	closed chan struct{} // no item is begun any more
	next   atomic.Int64
	todo   []int // indexes of items without a result
	calm   calm
	apart  int // of todo, so many run alone: see alone.go

	pending []Result
	bytes   int // of their bodies
	flushed time.Time
	flush   *time.Timer
	waiting []chan struct{} // closed when what is pending is written
	verdict verdict
}

// errLeft ends an item's work without a word: it belongs to the next attempt.
var errLeft = errors.New("jobs: the item is left")

// attempt runs a job until its lease ends. shutdown is when Work is to end.
func (s *Service) attempt(shutdown context.Context, j *Job) {
	a := &attempt{Service: s, job: j, lease: Lease{ID: j.ID, Fence: j.Fence}, began: s.Now(), open: true,
		out: make(chan ending), closed: make(chan struct{}), flush: time.NewTimer(time.Hour)}
	a.until, a.flushed = a.began.Add(s.term), a.began
	a.flush.Stop()
	a.verdict = verdict{done: j.Done, bad: j.Bad, total: len(j.Items), lowest: len(j.Items)}
	a.ctx, a.cancel = context.WithCancel(onBehalf(context.WithoutCancel(shutdown), &j.Spec))
	defer a.cancel()
	nudge := s.attend(j.ID)
	defer s.leave(j.ID, nudge)
	if err := a.known(); err != nil {
		a.verdict.later = err
		a.settle()
		return
	}
	if !a.isolate() {
		a.settle()
		return
	}
	if shutdown.Err() != nil {
		a.close(false)
	}
	a.drive(shutdown, a.start(), nudge)
	if a.open {
		a.settle()
	}
	s.hub.notify(j.ID)
}

// known finds which items have results, of an attempt before.
func (a *attempt) known() error {
	has := make([]bool, len(a.job.Items))
	for from := 0; from < a.job.Done; {
		ctx, cancel := context.WithTimeout(a.ctx, a.term/2)
		page, err := a.Store.Results(ctx, a.job.ID, from, 500)
		cancel()
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.Index < 0 || r.Index >= len(has) {
				continue
			}
			has[r.Index] = true
			a.verdict.note(r)
		}
		from += len(page)
	}
	for i, h := range has {
		if !h {
			a.todo = append(a.todo, i)
		}
	}
	return nil
}

func (a *attempt) isClosed() bool {
	select {
	case <-a.closed:
		return true
	default:
		return false
	}
}

// close begins no more items; with stop those at work are left too.
func (a *attempt) close(stop bool) {
	if !a.isClosed() {
		close(a.closed)
	}
	if stop {
		a.cancel()
	}
}

// drive takes what the items give and keeps the lease until all have ended.
func (a *attempt) drive(shutdown context.Context, ended, nudge <-chan struct{}) {
	beat := time.NewTicker(a.term * 3 / 10)
	defer beat.Stop()
	defer a.flush.Stop()
	var deadline, grace <-chan time.Time
	if !a.job.Deadline.IsZero() {
		t := time.NewTimer(a.job.Deadline.Sub(a.Now()))
		defer t.Stop()
		deadline = t.C
	}
	stopping := shutdown.Done()
	for {
		select {
		case <-ended:
			return
		case e := <-a.out:
			a.take(e)
		case <-a.flush.C:
			a.extend()
		case <-beat.C:
			a.extend()
		case <-nudge:
			a.extend()
		case <-deadline:
			a.verdict.expired = true
			a.close(true)
		case <-stopping:
			stopping = nil
			a.close(false)
			t := time.NewTimer(a.Limits.Grace)
			defer t.Stop()
			grace = t.C
		case <-grace:
			a.close(true)
		}
	}
}

// take notes what became of an item.
func (a *attempt) take(e ending) {
	if !a.open {
		return
	}
	if e.err != nil {
		if a.verdict.failed(e) {
			a.close(false)
		}
		if e.written != nil {
			close(e.written) // there is nothing to write
		}
		return
	}
	a.verdict.add(e.result)
	a.pending = append(a.pending, e.result)
	a.bytes += len(e.result.Body)
	if e.written != nil {
		a.waiting = append(a.waiting, e.written)
	}
	switch left := a.verdict.total - a.verdict.done; {
	case left == 0: // they go with the outcome
		a.close(false)
	case e.written != nil:
		a.extend()
	case len(a.pending) >= flushCount || a.bytes >= flushBytes:
		a.extend()
	case len(a.pending) == 1:
		a.flush.Reset(max(flushAfter-a.Now().Sub(a.flushed), 0))
	}
}

// attend makes the channel by which a job's worker here is told to ask the store now.
func (s *Service) attend(id string) chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	s.nudges[id] = c
	s.mu.Unlock()
	return c
}

func (s *Service) leave(id string, c chan struct{}) {
	s.mu.Lock()
	if s.nudges[id] == c {
		delete(s.nudges, id)
	}
	s.mu.Unlock()
}

func (s *Service) nudge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.nudges[id]; c != nil {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// note writes a line about the job.
func (a *attempt) note(text string, err error) {
	a.Log.Warn(text, slog.String("job", a.job.ID), slog.Int64("fence", a.lease.Fence), slog.String("cause", err.Error()))
}
