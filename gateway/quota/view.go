package quota

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Stats are the figures of a Limiter since its start.
type Stats struct {
	DryRun   bool
	Accounts int // callers that are remembered
	Tiers    []TierStats
	Shared   *SharedStats // nil: without Redis
}

// TierStats are those of one tier.
type TierStats struct {
	Name    string
	Refused map[string]uint64 // by limit; in a dry run those that would have been
	Used    Cost              // by requests that have ended
	Running int64
}

// SharedStats are those of the buckets in Redis.
type SharedStats struct {
	Up        bool
	Exchanges uint64 // of one caller's buckets
	Failed    uint64 // round trips
	Waited    uint64 // requests that waited for one
	Impatient uint64 // of these, so many did not wait to its end
}

// Stats gives the figures, tiers by name.
func (l *Limiter) Stats() Stats {
	l.mu.RLock()
	s := Stats{DryRun: l.config.DryRun, Accounts: len(l.accounts)}
	l.mu.RUnlock()
	for name, t := range l.tiers {
		if t == nil {
			continue
		}
		v := TierStats{Name: name, Refused: map[string]uint64{}, Running: t.running.Load()}
		for i := range t.limits {
			v.Refused[t.limitName(i)] = t.refused[i].Load()
		}
		for _, i := range [...]int{atConcurrency, atTogether} {
			v.Refused[t.limitName(i)] = t.refused[i].Load()
		}
		t.mu.Lock()
		v.Used = t.used
		t.mu.Unlock()
		s.Tiers = append(s.Tiers, v)
	}
	slices.SortFunc(s.Tiers, func(a, b TierStats) int { return cmp.Compare(a.Name, b.Name) })
	if l.shared != nil {
		s.Shared = &SharedStats{Up: !l.shared.isAway(), Exchanges: l.shared.exchanges.Load(), Failed: l.shared.failed.Load(), Waited: l.shared.waited.Load(), Impatient: l.shared.impatient.Load()}
	}
	return s
}

// Usage is what one caller may use, and what is left.
type Usage struct {
	Tier        string // whose limits these are
	Limits      []UsageLimit
	Concurrency int // 0: no limit
	Running     int // in this process
}

// UsageLimit is one bucket.
type UsageLimit struct {
	Limit
	Left float64       // below zero: used too much
	Full time.Duration // until nothing is missing
}

// Usage gives a caller's buckets; ok is false where the caller's tier has no limits. With a Redis, what other gateways know is asked for first, for a few milliseconds.
func (l *Limiter) Usage(who Subject) (u Usage, ok bool) {
	a := l.account(who)
	if a == nil {
		return Usage{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.shared != nil && !l.shared.isAway() && len(a.limits) > 0 {
		l.shared.refresh(a)
	}
	now := l.now()
	a.pass(now)
	u = Usage{Tier: a.tier.name, Concurrency: a.concurrency, Running: a.running}
	for i := range a.limits {
		k := &a.buckets[i]
		u.Limits = append(u.Limits, UsageLimit{a.limits[i], math.Floor(k.left()), max(k.untilFull(&a.limits[i], now), 0)})
	}
	return u, true
}

// Find gives a caller of that kind and name who has called; ok is false where none has. tenant "" stands for any.
func (l *Limiter) Find(kind Kind, tenant, id string) (who Subject, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for s := range l.accounts {
		if s.Kind == kind && s.ID == id && (tenant == "" || s.Tenant == tenant) {
			return s, true
		}
	}
	return Subject{}, false
}
