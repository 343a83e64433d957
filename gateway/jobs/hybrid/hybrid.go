// Package hybrid is two stores of jobs as one: a near one, such as Redis, for realtime jobs as long as few of them wait, and a far one, such as SQS, for the
// rest and for what overflows. It exists so that what somebody waits for is quick, and what is much is cheap.
//
// A job lives in one store from its creation to its end, and its blobs with it. Where that is, nobody has to remember: the stores are asked, the near
// one first. While one of them is away, what concerns the other alone goes on; what needs both to be right, as a list does, is Unavailable.
package hybrid

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Options say how jobs are shared out.
type Options struct {
	// Overflow is how many realtime jobs may wait in the near store; more go to the far one. 0: 100. Gateways that hand in at once may go over it by what they
	// hand in within a tenth of a second.
	Overflow int
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
}

// Store is a jobs.Store over two. It is safe for concurrent use.
type Store struct {
	options   Options
	near, far *side

	mu   sync.Mutex
	held map[string]*lease // jobs that were leased here, by id
	turn int               // of Lease
}

var (
	_ jobs.Store   = (*Store)(nil)
	_ jobs.Chooser = (*Store)(nil)
	_ jobs.Looker  = (*Store)(nil)
	_ jobs.Keyed   = (*Store)(nil)
	_ jobs.Waker   = (*Store)(nil)
	_ jobs.Termed  = (*Store)(nil)
)

// side is one of the two stores.
type side struct {
	jobs.Store
	name string
	term time.Duration // of its leases
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex
	away    time.Time // until then it is asked last
	counts  *jobs.Counts
	counted time.Time
	added   int // realtime jobs since
}

// awayFor is how long a store that was not there is asked last: a call to it may take seconds to fail.
const awayFor = 2 * time.Second

// New makes a store of two, which Close closes.
func New(near, far jobs.Store, o Options) *Store {
	if o.Overflow <= 0 {
		o.Overflow = 100
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	make := func(store jobs.Store, name string) *side {
		return &side{Store: store, name: name, term: jobs.TermOf(store), now: o.Now, log: o.Log}
	}
	return &Store{options: o, near: make(near, "near"), far: make(far, "far"), held: map[string]*lease{}}
}

// Close implements jobs.Store.
func (s *Store) Close() error { return errors.Join(s.near.Close(), s.far.Close()) }

// Term implements jobs.Termed: that of the store that wants the shorter leases. The other's are as long as it wants.
func (s *Store) Term() time.Duration { return min(s.near.term, s.far.term) }

func (s *Store) other(d *side) *side {
	if d == s.near {
		return s.far
	}
	return s.near
}

// note remembers whether the store is there.
func (d *side) note(err error) error {
	gone := fault.KindOf(err) == fault.Unavailable
	d.mu.Lock()
	was := !d.away.IsZero()
	if gone {
		d.away = d.now().Add(awayFor)
	} else if err == nil {
		d.away = time.Time{}
	}
	d.mu.Unlock()
	switch {
	case gone && !was:
		d.log.Warn("a store of jobs is away", "store", d.name, "error", err)
	case err == nil && was:
		d.log.Info("a store of jobs is back", "store", d.name)
	}
	return err
}

// gone reports whether the store was away a moment ago.
func (d *side) gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now().Before(d.away)
}

// find asks the one store and, where that does not have it, the other. A store that is away may be the one that has it: then that is the answer.
func (s *Store) find(call func(*side) error) error {
	first, second := s.near, s.far
	if first.gone() {
		first, second = second, first
	}
	err := first.note(call(first))
	if k := fault.KindOf(err); err == nil || k != fault.NotFound && k != fault.Unavailable {
		return err
	}
	if other := second.note(call(second)); fault.KindOf(other) != fault.NotFound {
		return other
	}
	return err
}

// Get implements jobs.Records. Place counts the jobs of the same store exactly, and for one of the far store those of the near one as they were lately.
func (s *Store) Get(ctx context.Context, id string) (j *jobs.Job, err error) {
	err = s.find(func(d *side) (err error) {
		j, err = d.Get(ctx, id)
		return s.placed(d, j, err)
	})
	return j, err
}

// Look implements jobs.Looker.
func (s *Store) Look(ctx context.Context, id string) (j *jobs.Job, err error) {
	err = s.find(func(d *side) (err error) {
		j, err = d.look(ctx, id)
		return s.placed(d, j, err)
	})
	return j, err
}

func (d *side) look(ctx context.Context, id string) (*jobs.Job, error) {
	if l, ok := d.Store.(jobs.Looker); ok {
		return l.Look(ctx, id)
	}
	j, err := d.Get(ctx, id)
	if err == nil {
		j.Items = nil
	}
	return j, err
}

// placed adds what is before a queued job in the other store.
func (s *Store) placed(d *side, j *jobs.Job, err error) error {
	if err == nil && d == s.far && j.State == jobs.Queued && j.Place >= 0 {
		j.Place += s.near.waiting()
	}
	return err
}

// ByKey implements jobs.Keyed.
func (s *Store) ByKey(ctx context.Context, tenant, key string) (j *jobs.Job, err error) {
	err = s.find(func(d *side) (err error) {
		j, err = d.byKey(ctx, tenant, key)
		return err
	})
	return j, err
}

func (d *side) byKey(ctx context.Context, tenant, key string) (*jobs.Job, error) {
	if k, ok := d.Store.(jobs.Keyed); ok {
		return k.ByKey(ctx, tenant, key)
	}
	return nil, fault.New(fault.NotFound, "job_not_found", "the %s store of jobs cannot look for keys", d.name)
}

// Results implements jobs.Records.
func (s *Store) Results(ctx context.Context, id string, from, limit int) (list []jobs.Result, err error) {
	err = s.find(func(d *side) (err error) {
		list, err = d.Results(ctx, id, from, limit)
		return err
	})
	return list, err
}
