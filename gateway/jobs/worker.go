package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"triton-gateway/internal/pause"
)

const (
	soonest   = 5 * time.Millisecond   // between two looks into a queue that was empty
	latest    = 250 * time.Millisecond // the same, when it stays empty
	asleep    = 600 * time.Millisecond // the same, where the store wakes
	sleep     = 20 * time.Second       // of one Wake, at most
	troubled  = 2 * time.Second        // between two looks at a store that fails, at most
	leaseCall = 10 * time.Second       // that the store may take
)

// Work takes jobs and runs them until ctx ends. Then it takes no more, lets the items at work end for Limits.Grace, gives the jobs back, and returns.
// A job that is given back loses no attempt, and what is done stays done.
func (s *Service) Work(ctx context.Context) {
	var (
		running sync.WaitGroup
		places  = make(chan struct{}, s.Limits.Workers)
		idle    = soonest
		rarest  = latest
	)
	s.working.Add(1)
	defer s.working.Add(-1)
	defer running.Wait()
	if w, ok := s.Store.(Waker); ok {
		rarest = asleep
		running.Go(func() { s.listen(ctx, w) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		n := 1
		for more := true; more; {
			select {
			case places <- struct{}{}:
				n++
			default:
				more = false
			}
		}
		list, err := s.lease(ctx, n)
		for range n - len(list) {
			<-places
		}
		for _, j := range list {
			running.Go(func() {
				defer func() { <-places }()
				s.attempt(ctx, j)
			})
		}
		switch {
		case err != nil:
			s.Log.Warn("no jobs can be taken", slog.String("cause", err.Error()))
			idle = min(max(idle*2, latest), troubled)
		case len(list) == n:
			idle = soonest
			continue
		case len(list) > 0:
			idle = soonest
		default:
			idle = min(idle*2, rarest)
		}
		await(ctx, s.wake, idle)
	}
}

// listen wakes the workers when the store says that a job is due.
func (s *Service) listen(ctx context.Context, w Waker) {
	for ctx.Err() == nil {
		begun := time.Now()
		if w.Wake(ctx, sleep) {
			s.woken()
		} else if time.Since(begun) < sleep/2 && !pause.For(ctx, latest) { // it is closed
			return
		}
	}
}

// lease asks for up to n jobs. It asks to the end even when ctx ends: an answer that nobody hears would hold jobs until their leases end.
func (s *Service) lease(ctx context.Context, n int) ([]*Job, error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseCall)
	defer cancel()
	list, err := s.Store.Lease(ctx, n, s.term)
	if s.Observer != nil {
		now := s.Now()
		for _, j := range list {
			s.Observer.Leased(j, max(now.Sub(j.RunAt), 0))
		}
	}
	return list, err
}
