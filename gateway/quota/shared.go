package quota

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tick = 100 * time.Millisecond // after which costs are told and unused leases given back
	// patience is how long a request waits for Redis. Then it is decided by what this process knows, and so is every other, until Redis has answered.
	patience    = 5 * time.Millisecond
	exchangeFor = 100 * time.Millisecond // a round trip
	tripAfter   = 2                      // failed round trips in a row, after which Redis is left alone
	probeEvery  = 500 * time.Millisecond
	together    = 256 // exchanges in one round trip
)

// shared are the buckets in Redis. One goroutine does all exchanges, as many as wait in one round trip.
type shared struct {
	limiter  *Limiter
	redis    *remote
	log      *slog.Logger
	patience time.Duration // of a request
	away     atomic.Bool   // Redis is left alone
	slow     atomic.Bool   // a request has waited for too long, and there was no answer since

	signal chan struct{} // has one place
	stop   context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex // guards the rest; after an account's
	queue []*account // have a round that is to begin
	later []*account // to be looked at with the next tick

	failures  int // in a row; the goroutine's
	exchanges atomic.Uint64
	failed    atomic.Uint64
	waited    atomic.Uint64
	impatient atomic.Uint64
}

func newShared(url, ca string, l *Limiter) (*shared, error) {
	r, err := newRemote(url, ca, cmp.Or(l.config.exchange, exchangeFor))
	if err != nil {
		return nil, err
	}
	s := &shared{limiter: l, redis: r, log: l.log, patience: cmp.Or(l.config.patience, patience), signal: make(chan struct{}, 1), ended: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return s, nil
}

func (s *shared) isAway() bool { return s.away.Load() }

// ask begins a round, or makes one that waits urgent. It needs the account's mu.
func (s *shared) ask(a *account, urgent bool) *round {
	if a.round == nil {
		a.round = &round{done: make(chan struct{})}
		s.mu.Lock()
		s.queue = append(s.queue, a)
		s.mu.Unlock()
		select {
		case s.signal <- struct{}{}:
		default:
		}
	}
	a.round.urgent = a.round.urgent || urgent
	return a.round
}

// lookLater has the account looked at with the next tick. It needs the account's mu.
func (s *shared) lookLater(a *account) {
	if a.later {
		return
	}
	a.later = true
	s.mu.Lock()
	s.later = append(s.later, a)
	s.mu.Unlock()
}

// wait has the account's exchange done, and reports whether it went well within that time. It needs the account's mu, and lets go of it meanwhile.
func (s *shared) wait(ctx context.Context, a *account, within time.Duration) bool {
	if s.slow.Load() {
		return false
	}
	r := s.ask(a, true)
	a.mu.Unlock()
	s.waited.Add(1)
	timer := time.NewTimer(within)
	over := false
	select {
	case <-r.done:
	case <-timer.C:
		over = true
	case <-ctx.Done():
		over = true
	}
	timer.Stop()
	a.mu.Lock()
	if over && ctx.Err() == nil {
		s.impatient.Add(1)
		s.slow.Store(true)
	}
	return !over && r.ok
}

// refresh has the account's exchange done for somebody who only looks. It needs the account's mu, and lets go of it meanwhile.
func (s *shared) refresh(a *account) {
	r := s.ask(a, false)
	a.mu.Unlock()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
	}
	a.mu.Lock()
}

// run does the exchanges until ctx ends.
func (s *shared) run(ctx context.Context) {
	defer close(s.ended)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	s.probe() // one that is not there is known before the first request
	probed := time.Now()
	for {
		ticked := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			ticked = true
		case <-s.signal:
		}
		if s.away.Load() {
			s.turnAway()
			if time.Since(probed) >= probeEvery {
				s.probe()
				probed = time.Now()
			}
			continue
		}
		if ticked {
			s.due()
		}
		for list := s.take(); len(list) > 0; {
			n := min(len(list), together)
			s.exchange(list[:n])
			list = list[n:]
		}
	}
}

// take gives the accounts whose rounds wait.
func (s *shared) take() []*account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.queue
	s.queue = nil
	return list
}

// due begins rounds for accounts that have something to tell or to give back.
func (s *shared) due() {
	s.mu.Lock()
	list := s.later
	s.later = nil
	s.mu.Unlock()
	for _, a := range list {
		a.mu.Lock()
		a.later = false
		if !a.unleased() {
			s.ask(a, false)
		}
		a.mu.Unlock()
	}
}

// turnAway ends the rounds that wait: Redis is away.
func (s *shared) turnAway() {
	for _, a := range s.take() {
		a.mu.Lock()
		s.end(a, false)
		s.lookLater(a)
		a.mu.Unlock()
	}
}

// end ends an account's round. It needs the account's mu.
func (s *shared) end(a *account, ok bool) {
	r := a.round
	a.round = nil
	r.ok = ok
	close(r.done)
}

// exchange does the rounds of some accounts in one round trip.
func (s *shared) exchange(list []*account) {
	offers := make([][mostLimits]offer, len(list))
	calls := make([]call, len(list))
	now := s.limiter.now()
	for i, a := range list {
		a.mu.Lock()
		a.pass(now)
		offers[i] = a.offers(now)
		a.mu.Unlock()
		calls[i] = newCall(a, &offers[i])
	}
	err := s.redis.do(calls)
	s.exchanges.Add(uint64(len(list)))
	now = s.limiter.now()
	for i, a := range list {
		a.mu.Lock()
		if err == nil {
			a.settle(now, &offers[i], &calls[i].granted, &calls[i].level)
		} else {
			a.failed(&offers[i])
		}
		s.end(a, err == nil)
		if !a.unleased() {
			s.lookLater(a)
		}
		a.mu.Unlock()
	}
	s.note(err)
}

// probe asks for something that no caller has.
func (s *shared) probe() {
	t := tier{limits: []Limit{{Unit: Requests, Quota: 2, Window: time.Second}}}
	calls := []call{newCall(&account{tier: &t, name: keyPrefix + "probe"}, &[mostLimits]offer{{charge: 1}})}
	s.note(s.redis.do(calls))
}

// note takes what came of a round trip, and tells of changes.
func (s *shared) note(err error) {
	if err == nil {
		s.failures = 0
		s.slow.Store(false)
		if s.away.CompareAndSwap(true, false) {
			s.log.Info("quotas are shared through Redis again")
		}
		return
	}
	s.failed.Add(1)
	if s.failures++; s.failures >= tripAfter && s.away.CompareAndSwap(false, true) {
		s.log.Warn("Redis does not answer: each gateway bounds its callers by itself until it does, so that n gateways together let in up to n times a quota", "error", err)
		s.turnAway()
	}
}

// close gives back what is leased.
func (s *shared) close() error {
	s.stop()
	<-s.ended
	if !s.away.Load() {
		s.due()
		for list := s.take(); len(list) > 0 && !s.away.Load(); {
			n := min(len(list), together)
			for _, a := range list[:n] {
				a.mu.Lock()
				a.rest()
				a.mu.Unlock()
			}
			s.exchange(list[:n])
			list = list[n:]
		}
	}
	s.turnAway()
	return s.redis.close()
}
