package jobs

import (
	"context"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// fresh is how old figures of the store may be that are shown or decided by.
const fresh = time.Second

// meter remembers the figures of the store, so that a request costs no count.
type meter struct {
	asking chan struct{} // holds one while the store is asked

	mu     sync.Mutex
	counts *Counts
	at     time.Time
	added  int       // queued since
	failed error     // of the last question, where the store was away
	since  time.Time // that it failed
}

func (m *meter) add(Priority) {
	m.mu.Lock()
	m.added++
	m.mu.Unlock()
}

// known gives what was learned a moment ago: figures, or that the store is away. Those who waited while it was asked do not ask again one after the other.
func (m *meter) known(now time.Time) (c *Counts, added int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.counts != nil && now.Sub(m.at) <= fresh:
		return m.counts, m.added, nil
	case m.failed != nil && now.Sub(m.since) <= fresh/4:
		return nil, 0, m.failed
	}
	return nil, 0, nil
}

// running is how many jobs are at work anywhere, as the figures said lately; 0 where they are old.
func (m *meter) running(now time.Time) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil || now.Sub(m.at) > staleCounts {
		return 0
	}
	for _, states := range m.counts.Jobs {
		n += states[Running]
	}
	return n
}

// Stats gives the figures of the store, at most a second old. They must not be changed.
func (s *Service) Stats(ctx context.Context) (*Counts, error) {
	c, _, err := s.stats(ctx)
	return c, err
}

func (s *Service) stats(ctx context.Context) (c *Counts, added int, err error) {
	m := &s.meter
	if c, added, err = m.known(s.Now()); c != nil || err != nil {
		return c, added, err
	}
	select {
	case m.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, 0, ended(ctx.Err())
	}
	defer func() { <-m.asking }()
	if c, added, err = m.known(s.Now()); c != nil || err != nil {
		return c, added, err
	}
	c, err = s.Store.Count(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if m.failed = nil; fault.KindOf(err) == fault.Unavailable { // not where this caller has left
			m.failed, m.since = err, s.Now()
		}
		return nil, 0, err
	}
	m.counts, m.at, m.added, m.failed = c, s.Now(), 0, nil
	return c, 0, nil
}

// room refuses a job that the store should not take, before its items are stored. The limits are kept to within what comes in a second.
func (s *Service) room(ctx context.Context) error {
	c, added, err := s.stats(ctx)
	if err != nil {
		return err
	}
	waiting := added
	for _, states := range c.Jobs {
		waiting += states[Queued]
	}
	if waiting >= s.Limits.Waiting {
		return fault.New(fault.Busy, "queue_full", "%d jobs wait already; come again later, or raise jobs.waiting", waiting).After(10 * time.Second)
	}
	if s.Limits.Stored > 0 && c.Bytes >= s.Limits.Stored {
		return fault.New(fault.TooLarge, "job_store_full", "the inputs of jobs fill %d bytes already; come again when some are done, or raise jobs.stored", c.Bytes).After(time.Minute)
	}
	return nil
}
