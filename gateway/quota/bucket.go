package quota

import (
	"math"
	"time"
)

// bucket is one limit of one caller, as this process knows it.
type bucket struct {
	// level is what the bucket holds; below zero: what was used too much. What is leased is not in it.
	level float64
	lease float64 // taken out of the shared bucket ahead, and not used yet; 0 or more
	owed  float64 // used beyond the lease, and not told to the shared bucket yet; below zero: to be given back
	used  float64 // since the last exchange
}

// enough is the one unit that a request needs, but for what is lost by rounding.
const enough = 1 - 1e-6

// perSecond is how many units come in a second; 0 for a day's budget.
func (l *Limit) perSecond() float64 {
	if l.Window == 0 {
		return 0
	}
	return l.Quota / l.Window.Seconds()
}

// fill lets time pass.
func (b *bucket) fill(l *Limit, seconds float64) {
	if seconds > 0 && b.level < l.Quota {
		b.level = math.Min(l.Quota, b.level+l.perSecond()*seconds)
	}
}

// reset makes it full, as at midnight.
func (b *bucket) reset(l *Limit) { *b = bucket{level: l.Quota} }

// take uses n units; below zero it gives them back: what was owed first, the rest may be used here again.
func (b *bucket) take(l *Limit, n float64) {
	b.used += n
	if n < 0 {
		paid := math.Min(math.Max(b.owed, 0), -n)
		b.owed -= paid
		b.level = math.Min(l.Quota, b.level+paid)
		b.lease = math.Min(l.Quota, b.lease-n-paid)
		b.level = math.Min(b.level, l.Quota-b.lease)
		return
	}
	leased := math.Min(b.lease, n)
	b.lease -= leased
	b.owed += n - leased
	b.level -= n - leased
}

// left is what may still be used.
func (b *bucket) left() float64 { return b.lease + b.level }

// wait is how long it takes until there is one unit.
func (b *bucket) wait(l *Limit, now time.Time) time.Duration {
	missing := 1 - b.left()
	if missing <= 1-enough {
		return 0
	}
	if l.Window == 0 {
		return untilMidnight(now)
	}
	return seconds(missing / l.perSecond())
}

// untilFull is how long it takes until nothing is missing.
func (b *bucket) untilFull(l *Limit, now time.Time) time.Duration {
	if l.Window == 0 {
		return untilMidnight(now)
	}
	return seconds((l.Quota - b.left()) / l.perSecond())
}

// seconds is a duration of so many, in whole microseconds; the longest there is where that is too short.
func seconds(s float64) time.Duration {
	if s >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(max(s, 0)*1e6-1e-3)) * time.Microsecond
}

const day = 24 * 60 * 60 // seconds

// dayOf numbers the days of UTC.
func dayOf(t time.Time) int64 { return t.Unix() / day }

func untilMidnight(now time.Time) time.Duration {
	return time.Unix((dayOf(now)+1)*day, 0).Sub(now.Round(0)) // the clock on the wall decides
}

// charge is what the shared bucket is to be told: what was used beyond the lease, but no more than is missing. What has come back meanwhile would have been above the
// rim of the shared bucket, which did not know that something was used.
func (b *bucket) charge(l *Limit) float64 {
	if l.Window == 0 || b.owed <= 0 {
		return b.owed
	}
	return math.Min(b.owed, math.Max(l.Quota-b.left(), 0))
}
