package quota

import (
	"math"
	"sync"
	"time"
)

// account is one caller's buckets.
type account struct {
	*tier
	name string // in Redis

	mu      sync.Mutex // guards the rest
	buckets [mostLimits]bucket
	at      time.Time // buckets are right as of then
	day     int64     // day's budgets are of this one
	running int       // requests
	guess   Cost      // what the last requests cost, smoothed
	hold    float64   // seconds that they took, smoothed

	dry       [mostLimits]time.Time // the shared bucket is known to be empty until then
	target    [mostLimits]float64   // the lease that the use of the last moments asks for
	round     *round                // the exchange that is under way or waits for its turn; nil: none
	exchanged time.Time             // the end of the last one
	waiting   int                   // requests that wait for the next
	later     bool                  // it is in the list of those that are looked at with the next tick
}

// round is one exchange of an account with Redis.
type round struct {
	done   chan struct{} // closed at its end, however it ended
	urgent bool          // a request waits
	ok     bool          // it went well; to be read after done
}

const (
	smoothing = 8   // each request counts for an eighth of a guess
	leaseTime = 0.2 // seconds of use that are leased: two ticks
	leaseMost = 8   // a lease is at most this part of a bucket
)

func newAccount(t *tier, name string, now time.Time) *account {
	a := &account{tier: t, name: name, at: now, day: dayOf(now), exchanged: now}
	for i := range t.limits {
		a.buckets[i].reset(&t.limits[i])
	}
	return a
}

// pass lets time pass. It needs mu, as all that follow.
func (a *account) pass(now time.Time) {
	passed := now.Sub(a.at).Seconds()
	a.at = now
	today := dayOf(now)
	for i := range a.limits {
		l, b := &a.limits[i], &a.buckets[i]
		if l.Window > 0 {
			b.fill(l, passed)
		} else if today > a.day {
			b.reset(l)
			a.dry[i] = time.Time{}
		}
	}
	a.day = max(a.day, today) // a clock that is set back gives no second day
}

// charge takes a cost out of all buckets.
func (a *account) charge(c *Cost) {
	for i := range a.limits {
		if n := c[a.limits[i].Unit]; n != 0 {
			a.buckets[i].take(&a.limits[i], n)
		}
	}
}

// empty gives the limits that are used up. With leased, only what is leased counts: others are not told apart from those that have to be asked for.
func (a *account) empty(leased bool) (list [mostLimits]int, n int) {
	for i := range a.limits {
		b := &a.buckets[i]
		if leased && b.lease < enough || !leased && b.left() < enough {
			list[n] = i
			n++
		}
	}
	return list, n
}

// known reports whether one of these buckets is known to be empty, so that nobody need be asked.
func (a *account) known(list []int, now time.Time) bool {
	for _, i := range list {
		if now.Before(a.dry[i]) {
			return true
		}
	}
	return false
}

// short reports whether a lease has become so small that more should be there before it ends.
func (a *account) short() bool {
	for i := range a.limits {
		if t := a.target[i]; t >= 4 && a.buckets[i].lease < t/2 {
			return true
		}
	}
	return false
}

// learn notes what a request has cost and how long it took.
func (a *account) learn(c *Cost, took time.Duration) {
	for _, u := range [...]Unit{Pixels, Inference} {
		a.guess[u] += (c[u] - a.guess[u]) / smoothing
	}
	a.hold += (took.Seconds() - a.hold) / smoothing
}

// idle reports whether nothing would be lost if the account were forgotten.
func (a *account) idle() bool {
	if a.running > 0 || a.round != nil || a.waiting > 0 {
		return false
	}
	for i := range a.limits {
		if b := &a.buckets[i]; b.level < a.limits[i].Quota || b.lease != 0 || b.charge(&a.limits[i]) != 0 {
			return false
		}
	}
	return true
}

// offer is what one exchange says of one bucket.
type offer struct {
	charge float64 // told as used; below zero: given back
	want   float64 // asked for
	owed   float64 // what was owed, to be owed again if the exchange fails
	given  float64 // of the lease, in charge
}

// offers makes the exchange's side of this process, and takes what is told off the books.
func (a *account) offers(now time.Time) (list [mostLimits]offer) {
	passed := math.Max(now.Sub(a.exchanged).Seconds(), leaseTime/20) // the first of many count as if they went on so
	active := a.waiting > 0 || a.round != nil && a.round.urgent
	for i := range a.limits {
		active = active || a.buckets[i].used > 0
	}
	for i := range a.limits {
		l, b := &a.limits[i], &a.buckets[i]
		target := math.Ceil(math.Min(b.used/passed*leaseTime, math.Floor(l.Quota/leaseMost)))
		if active { // a request needs one of each, also of what none has used
			least := 1.0
			if l.Unit == Requests {
				least = float64(max(a.waiting, 1))
			}
			target = math.Max(target, least)
		}
		o := offer{charge: b.charge(l), owed: b.owed}
		b.owed = 0
		switch {
		case b.lease > target:
			o.given = b.lease - target
			b.lease = target
		default:
			o.want = math.Ceil(target - b.lease)
		}
		o.charge -= o.given
		b.used = 0
		a.target[i] = target
		list[i] = o
	}
	a.exchanged = now
	return list
}

// settle takes what an exchange gave: for each bucket what was granted, and what is left without it.
func (a *account) settle(now time.Time, offers *[mostLimits]offer, granted, level *[mostLimits]float64) {
	a.pass(now)
	for i := range a.limits {
		l, b := &a.limits[i], &a.buckets[i]
		b.level = math.Min(l.Quota, level[i]-b.owed)
		b.lease += granted[i]
		a.dry[i] = time.Time{}
		if offers[i].want > 0 && granted[i] < enough && b.lease < enough {
			a.dry[i] = now.Add(min(b.wait(l, now), askAgain))
		}
	}
}

// failed puts back what was told in vain.
func (a *account) failed(offers *[mostLimits]offer) {
	for i := range a.limits {
		b, o := &a.buckets[i], &offers[i]
		b.owed += o.owed
		b.lease += o.given
	}
}

// askAgain is how long an empty shared bucket is believed to be empty: others may give back what they had leased.
const askAgain = 250 * time.Millisecond

// rest has the next exchange give all leases back.
func (a *account) rest() {
	for i := range a.limits {
		a.buckets[i].used = 0
	}
	if a.round != nil {
		a.round.urgent = false
	}
}

// unleased reports whether nothing is leased or owed: Redis knows all.
func (a *account) unleased() bool {
	for i := range a.limits {
		if b := &a.buckets[i]; b.lease != 0 || b.owed != 0 {
			return false
		}
	}
	return true
}
