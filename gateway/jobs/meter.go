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
	asking sync.Mutex // held while the store is asked

	mu     sync.Mutex
	counts *Counts
	at     time.Time
	added  int // queued since
}

func (m *meter) add(Priority) {
	m.mu.Lock()
	m.added++
	m.mu.Unlock()
}

func (m *meter) known(now time.Time) (c *Counts, added int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts == nil || now.Sub(m.at) > fresh {
		return nil, 0
	}
	return m.counts, m.added
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
	if c, added = m.known(s.Now()); c != nil {
		return c, added, nil
	}
	m.asking.Lock()
	defer m.asking.Unlock()
	if c, added = m.known(s.Now()); c != nil {
		return c, added, nil
	}
	c, err = s.Store.Count(ctx)
	if err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts, m.at, m.added = c, s.Now(), 0
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
