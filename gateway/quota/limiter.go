package quota

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/fault"
)

// Config sets a Limiter up.
type Config struct {
	Tiers   map[string]Tier // by name; DefaultTier is for callers whose tier is not there
	DryRun  bool            // nothing is refused, only counted
	Redis   string          // redis://, rediss:// or unix:// URL of a Redis that gateways share; "": none
	RedisCA string          // path of a PEM file with the authorities to trust for rediss://; "": the system's

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: none

	patience, exchange time.Duration // with Redis, for one request and for one round trip; 0: the constants of these names. Tests on busy machines have more.
}

// Limiter lets requests in. It is safe for concurrent use. Close it when no request is under way.
type Limiter struct {
	config  Config
	now     func() time.Time
	log     *slog.Logger
	tiers   map[string]*tier
	shared  *shared // nil: none
	closing sync.Once

	mu       sync.RWMutex // guards the rest
	accounts map[Subject]*account
	sweepAt  int       // accounts
	swept    time.Time // last
	strange  map[string]bool
	reported atomic.Int64 // second of the last line about a dry run
}

const (
	firstSweep = 1024
	// mostAccounts is how many callers are told apart that have used something; those that come later share one account of their tier. Callers whose buckets are full
	// are not counted.
	mostAccounts = 1 << 17
	mostStrange  = 100 // unknown tiers that are told of in the log
)

// New makes a Limiter. It does not wait for Redis. The error is of the settings, and shows no part of the URL.
func New(c Config) (*Limiter, error) {
	l := &Limiter{config: c, now: c.Now, log: c.Log, tiers: map[string]*tier{}, accounts: map[Subject]*account{}, sweepAt: firstSweep, strange: map[string]bool{}}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for name, t := range c.Tiers {
		l.tiers[name] = newTier(name, t) // nil for one without limits
	}
	if c.Redis == "" {
		return l, nil
	}
	s, err := newShared(c.Redis, c.RedisCA, l)
	if err != nil {
		return nil, err
	}
	l.shared = s
	return l, nil
}

// Close gives back what is leased, and ends the background work. A second call does nothing.
func (l *Limiter) Close() error {
	if l.shared == nil {
		return nil
	}
	var err error
	l.closing.Do(func() { err = l.shared.close() })
	return err
}

// Enter asks whether a request may come in. announced are the bytes of its body, 0 where that is not known: they are guessed to be the cost until Leave, when those count
// that were added. The pass is ctx with the request's account; the caller has to call Leave. It is nil, and ctx is to be used as it is, where the caller's tier has
// no limits.
//
// The error is RateLimited rate_limited, which names the limit and says when there is room; the pass then only gives RateLimit, and Leave does nothing.
func (l *Limiter) Enter(ctx context.Context, who Subject, announced int64) (*Pass, error) {
	return l.enter(&Pass{Context: ctx, limiter: l}, who, announced)
}

// EnterLater is Enter for work that is done in the background: it does not count as a request at a time.
func (l *Limiter) EnterLater(ctx context.Context, who Subject) (*Pass, error) {
	return l.enter(&Pass{Context: ctx, limiter: l, later: true}, who, 0)
}

func (l *Limiter) enter(p *Pass, who Subject, announced int64) (*Pass, error) {
	a := l.account(who)
	if a == nil {
		return nil, nil
	}
	p.account = a
	place, after := l.admit(p, float64(max(announced, 0)))
	if place < 0 {
		return p, nil
	}
	if l.config.DryRun {
		p.would, p.after = a.limitName(place), after
		l.report(who, p)
		return p, nil
	}
	return p, refusal(a.tier, place, after)
}

// Look gives the values of the headers for a caller, and the error that Enter would give, as far as that is known without waiting for anybody. It costs nothing. All are nil
// where the caller has no limits.
func (l *Limiter) Look(who Subject) (policy, state []string, err error) {
	a := l.account(who)
	if a == nil {
		return nil, nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := l.now()
	a.pass(now)
	text := a.state(now)
	if text == "" {
		return nil, nil, nil
	}
	policy, state = a.policy[:1:1], []string{text}
	if l.config.DryRun {
		return policy, state, nil
	}
	list, n := a.empty(l.shared != nil && !l.shared.isAway())
	place, after := -1, time.Duration(0)
	for _, i := range list[:n] {
		if l.shared != nil && !l.shared.isAway() && !now.Before(a.dry[i]) {
			continue // Redis may have more
		}
		if wait := a.buckets[i].wait(&a.limits[i], now); wait >= after {
			place, after = i, wait
		}
	}
	if place < 0 {
		place, after = a.crowded()
	}
	if place < 0 {
		return policy, state, nil
	}
	a.refused[place].Add(1)
	return policy, state, refusal(a.tier, place, after)
}

// admit decides, and gives the limit that refuses and when there is room; -1 for none.
func (l *Limiter) admit(p *Pass, announced float64) (place int, after time.Duration) {
	a := p.account
	a.mu.Lock()
	defer a.mu.Unlock()
	now := l.now()
	a.pass(now)
	list, n := l.lacking(p, &now)
	place = -1
	for _, i := range list[:n] {
		if wait := a.buckets[i].wait(&a.limits[i], now); wait >= after {
			place, after = i, wait
		}
	}
	if place < 0 && !p.later {
		place, after = a.crowded()
	}
	if place >= 0 {
		a.refused[place].Add(1)
		p.state[0] = a.state(now)
		if !l.config.DryRun {
			return place, after
		}
	}
	p.began = now
	if !p.later {
		a.running++
		a.tier.running.Add(1)
	}
	p.spent[Requests] = 1
	if place >= 0 { // only reported: as if it had been refused
		return place, after
	}
	p.guess = a.guess
	p.guess[Requests], p.guess[Bytes] = 1, announced
	a.charge(&p.guess)
	p.state[0] = a.state(now)
	if l.shared != nil && !l.shared.isAway() {
		switch {
		case a.round == nil && a.short():
			l.shared.ask(a, false)
		case !a.later:
			l.shared.lookLater(a)
		}
	}
	return -1, 0
}

// lacking gives the limits that are used up. Where Redis may know more, it is asked. It needs the account's mu, and lets go of it while it waits.
func (l *Limiter) lacking(p *Pass, now *time.Time) (list [mostLimits]int, n int) {
	a := p.account
	if l.shared == nil || l.shared.isAway() {
		return a.empty(false)
	}
	until := now.Add(l.shared.patience)
	for waits := false; ; waits = true {
		list, n = a.empty(true)
		if n == 0 || a.known(list[:n], *now) {
			break
		}
		if !waits {
			a.waiting++ // until it has what it needs: a round asks for all who wait
			defer func() { a.waiting-- }()
		}
		went := l.shared.wait(p, a, until.Sub(*now))
		*now = l.now()
		a.pass(*now)
		if !went {
			return a.empty(false)
		}
	}
	if n > 0 { // one of those that are not leased is known to be empty
		var full [mostLimits]int
		m := 0
		for _, i := range list[:n] {
			if now.Before(a.dry[i]) || a.buckets[i].left() < enough {
				full[m] = i
				m++
			}
		}
		return full, m
	}
	return list, n
}

// crowded gives the concurrency that is used up, -1 for none, and how long a request takes. It needs mu.
func (a *account) crowded() (place int, after time.Duration) {
	place = -1
	switch {
	case a.concurrency > 0 && a.running >= a.concurrency:
		place = atConcurrency
	case a.together > 0 && a.tier.running.Load() >= int64(a.together):
		place = atTogether
	}
	return place, seconds(math.Max(a.hold, 0.001))
}

// book takes a difference out of the buckets, and counts what was spent. It needs the account's mu.
func (l *Limiter) book(p *Pass, diff *Cost) {
	a := p.account
	if p.would == "" {
		a.charge(diff)
		if l.shared != nil && !a.later {
			l.shared.lookLater(a)
		}
	}
	a.tier.mu.Lock()
	defer a.tier.mu.Unlock()
	if p.counted {
		for u := range diff {
			a.used[u] += diff[u]
		}
		return
	}
	p.counted = true
	for u := range p.spent {
		a.used[u] += p.spent[u]
	}
}

// refusal is the error of a limit.
func refusal(t *tier, place int, after time.Duration) error {
	setting := "quotas.tiers." + t.name + "."
	var text string
	switch place {
	case atConcurrency:
		text = fmt.Sprintf("%d of your requests are under way already, and so many are allowed at a time; wait for one to end (the operator raises %sconcurrency)", t.concurrency, setting)
	case atTogether:
		text = fmt.Sprintf("%d requests of your tier are under way already, and so many are allowed at a time; come again in %s (the operator raises %stier_concurrency)", t.together, inSeconds(after), setting)
	default:
		l := &t.limits[place]
		if l.Window == 0 {
			text = fmt.Sprintf("the day's budget of %s is used up, %s; it is full again at midnight UTC, in %s (the operator raises %sdaily.%s)", l.Unit, l.amount(), inSeconds(after), setting, l.Unit)
			break
		}
		text = fmt.Sprintf("the quota of %s is used up, %s in %s; come again in %s (the operator raises %s%s)", l.Unit, l.amount(), windowText(l.Window), inSeconds(after), setting, l.Unit)
	}
	return fault.New(fault.RateLimited, "rate_limited", "%s", text).At("quota."+t.limitName(place), "used up").After(after)
}

// account finds or makes a caller's account; nil where there are no limits.
func (l *Limiter) account(who Subject) *account {
	l.mu.RLock()
	a := l.accounts[who]
	l.mu.RUnlock()
	if a != nil {
		return a
	}
	t := l.tierOf(who.Tier)
	if t == nil {
		return nil
	}
	who.Tier = t.name
	l.mu.Lock()
	defer l.mu.Unlock()
	if a = l.accounts[who]; a != nil {
		return a
	}
	if now := l.now(); len(l.accounts) >= l.sweepAt && now.Sub(l.swept) > time.Second {
		l.sweep(now)
	}
	if len(l.accounts) >= mostAccounts {
		who.Kind, who.Tenant, who.ID = Key, "", "\x00" // no key is called so
		if a = l.accounts[who]; a != nil {
			return a
		}
	}
	a = newAccount(t, who.name(t.name), l.now())
	l.accounts[who] = a
	return a
}

// sweep forgets whose buckets are full. It needs mu.
func (l *Limiter) sweep(now time.Time) {
	for who, a := range l.accounts {
		a.mu.Lock()
		a.pass(now)
		if a.idle() {
			delete(l.accounts, who)
		}
		a.mu.Unlock()
	}
	l.sweepAt, l.swept = min(max(firstSweep, 2*len(l.accounts)), mostAccounts), now
}

// tierOf gives the tier of that name, or the default; nil where there is neither.
func (l *Limiter) tierOf(name string) *tier {
	if t, known := l.tiers[name]; known {
		return t
	}
	if name != "" {
		l.mu.RLock()
		fresh := !l.strange[name] && len(l.strange) < mostStrange
		l.mu.RUnlock()
		if fresh {
			l.mu.Lock()
			fresh = !l.strange[name]
			l.strange[name] = true
			l.mu.Unlock()
		}
		if fresh {
			l.log.Warn("a caller's tier has no quotas of its own: those of the default tier count", "tier", name, "setting", "quotas.tiers")
		}
	}
	return l.tiers[DefaultTier]
}

// name is the account's key in Redis: a digest, which shows nothing of who calls.
func (s *Subject) name(tier string) string {
	sum := sha256.Sum256([]byte(string(rune('0'+s.Kind)) + "\x00" + s.Tenant + "\x00" + s.ID + "\x00" + tier))
	return keyPrefix + hex.EncodeToString(sum[:16])
}

// keyPrefix begins the keys in Redis; 1 is the version of their form.
const keyPrefix = "tg:quota:1:"

// report tells of a request that would have been refused: the first of each second.
func (l *Limiter) report(who Subject, p *Pass) {
	second := l.now().Unix()
	if last := l.reported.Load(); last == second || !l.reported.CompareAndSwap(last, second) {
		return
	}
	l.log.Warn("a request would have been refused, if quotas.dry_run were off", "limit", p.would, "tier", p.account.tier.name, "caller", who.ID, "retry_after_ms", p.after.Milliseconds())
}
