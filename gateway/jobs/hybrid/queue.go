package hybrid

import (
	"context"
	"errors"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// lease is what is known of a job that was leased here.
type lease struct {
	in      *side
	fence   int64
	asked   time.Time // when its store was last asked
	changed bool      // it was changed from here: its store has to be asked
}

const (
	mostHeld = 10_000 // of leases whose end was never heard of, most of all; the stores are asked where one is forgotten
	farTurn  = 8      // one Lease of so many begins with the far store
)

// Lease implements jobs.Queue. The near store is asked first, and the far one for what is left; the other way round where the far one's first job has the
// earlier place, since a batch job must not starve behind a near store that is never empty, and now and then, for a far store that does not tell.
func (s *Store) Lease(ctx context.Context, n int, ttl time.Duration) (list []*jobs.Job, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Ended(err, "before the store was asked")
	}
	order := []*side{s.near, s.far}
	if s.farFirst(ctx) {
		order[0], order[1] = order[1], order[0]
	}
	var faults []error
	for _, d := range order {
		if len(list) >= n {
			break
		}
		if d.gone() && !s.other(d).gone() {
			faults = append(faults, nil) // it is asked again soon; the other must not wait
			continue
		}
		now := s.options.Now()
		more, err := d.Lease(ctx, n-len(list), d.ttl(ttl))
		if d.note(err) != nil {
			faults = append(faults, err)
			continue
		}
		s.hold(d, more, now)
		list = append(list, more...)
	}
	if len(faults) == len(order) {
		return list, errors.Join(faults...)
	}
	return list, nil
}

// ttl is how long a lease in the store is, where the caller wants one of the given length.
func (d *side) ttl(ttl time.Duration) time.Duration {
	if _, ok := d.Store.(jobs.Termed); ok {
		return max(ttl, d.term)
	}
	return ttl
}

func (s *Store) farFirst(ctx context.Context) bool {
	s.mu.Lock()
	s.turn++
	turn := s.turn
	s.mu.Unlock()
	if turn%farTurn == 0 {
		return true
	}
	far, ok := s.far.first(ctx)
	if !ok {
		return false
	}
	near, ok := s.near.first(ctx)
	return ok && far.Before(near)
}

func (s *Store) hold(d *side, list []*jobs.Job, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held)+len(list) > mostHeld {
		clear(s.held)
	}
	for _, j := range list {
		s.held[j.ID] = &lease{in: d, fence: j.Fence, asked: now}
	}
}

// drop forgets a lease that is over.
func (s *Store) drop(l jobs.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[l.ID]; h != nil && h.fence == l.Fence {
		delete(s.held, l.ID)
	}
}

// where gives the store that has the job of a lease. quiet: it has been asked so lately that a mere heartbeat can be left out.
func (s *Store) where(ctx context.Context, l jobs.Lease, ttl time.Duration) (d *side, quiet bool, err error) {
	now := s.options.Now()
	s.mu.Lock()
	if h := s.held[l.ID]; h != nil && h.fence == l.Fence {
		d, quiet = h.in, h.in.ttl(ttl) > ttl && !h.changed && now.Sub(h.asked) < h.in.term*3/10
	}
	s.mu.Unlock()
	if d != nil {
		return d, quiet, nil
	}
	err = s.find(func(in *side) error {
		d = in
		_, err := in.look(ctx, l.ID)
		return err
	})
	return d, false, err
}

// Extend implements jobs.Queue. A store whose leases are longer than what its caller asks for is not asked at each heartbeat.
func (s *Store) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	d, quiet, err := s.where(ctx, l, ttl)
	if err != nil || quiet && len(add) == 0 {
		return false, err
	}
	now := s.options.Now()
	canceled, err = d.Extend(ctx, l, d.ttl(ttl), add)
	switch fault.KindOf(d.note(err)) {
	case fault.Conflict, fault.NotFound:
		s.drop(l)
	}
	if err == nil {
		s.mu.Lock()
		if h := s.held[l.ID]; h != nil && h.fence == l.Fence {
			h.asked, h.changed = now, false
		}
		s.mu.Unlock()
	}
	return canceled, err
}

// Settle implements jobs.Queue.
func (s *Store) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	d, _, err := s.where(ctx, l, 0)
	if err != nil {
		return err
	}
	err = d.note(d.Settle(ctx, l, o, add))
	if k := fault.KindOf(err); err == nil || k == fault.Conflict || k == fault.NotFound {
		s.drop(l)
	}
	return err
}

// Change implements jobs.Queue.
func (s *Store) Change(ctx context.Context, id string, c jobs.Change) (j *jobs.Job, err error) {
	err = s.find(func(d *side) (err error) {
		j, err = d.Change(ctx, id, c)
		return s.placed(d, j, err)
	})
	s.mu.Lock()
	if h := s.held[id]; h != nil {
		h.changed = true
	}
	s.mu.Unlock()
	return j, err
}

// Wake implements jobs.Waker: by those of the stores that wake.
func (s *Store) Wake(ctx context.Context, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	woken, n := make(chan bool, 2), 0
	for _, d := range []*side{s.near, s.far} {
		if w, ok := d.Store.(jobs.Waker); ok {
			n++
			go func() {
				got := w.Wake(ctx, timeout)
				if got {
					cancel() // the other's wait
				}
				woken <- got
			}()
		}
	}
	if n == 0 {
		<-ctx.Done()
		return false
	}
	any := false
	for range n {
		any = <-woken || any
	}
	return any
}
