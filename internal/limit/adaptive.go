package limit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Adaptive bounds how many calls a server is given at a time, and finds the bound itself: the fewest calls that keep the server busy. Nothing but
// the server tells; what waits beyond that would wait in the server, unseen and unshared.
//
// It works by trying. While its bound is in use it runs for some calls at the bound, then for some at four fifths of it, and compares the
// throughput of both by Little's law: calls per second = calls under way / time of a call. A server with room to spare gives as much more throughput as it
// is given calls; a saturated one gives none. No latency of the past is held against the present, so a server that slows down in
// everything it does is not taken for a crowded one, and a bound that is not reached is never lowered.
//
// TryAcquire takes no lock. Safe for concurrent use.
type Adaptive struct {
	least, most, start int64
	running            atomic.Int64
	limit              atomic.Int64
	latency            atomic.Int64 // smoothed, ns; 0: none yet

	mu      sync.Mutex    // guards the rest
	base    int64         // the lower of the two bounds that are compared
	low     bool          // the lower one is in force
	phase   sums          // of the present phase
	began   time.Duration // when it began
	full    time.Duration // since when as many calls are under way as its bound says; < 0: not yet
	waits   time.Duration // until then for that
	above   shown         // of the last phase at the higher bound
	sum     float64       // of what the comparisons since the last move said, above and below worthwhile
	gain    float64       // of the last comparison
	noise   float64       // variance of gains from one comparison to the next
	moves   int           // steps in the same direction, one after the other: > 0 up, < 0 down
	pressed int           // phases in a row in which the bound was in use, up to settledUse
	light   light         // use of the server while there was room
	rush    rush          // of a bound that is reached, until it is settled what for
	last    time.Duration // when the last answer came
	late    int
	dropped time.Duration
}

// sums are what the calls of a phase add up to; times in seconds. busy is the time in which there was at least one of them.
type sums struct{ calls, running, took, busy float64 }

// shown is what a phase has shown: calls under way and the time of a call in seconds, on average.
type shown struct{ running, took float64 }

// light is how a server is seen in light use: so long for a call, in seconds, and so many a second of busy time. Zeros: never seen.
type light struct{ took, rate float64 }

// rush is what ends from when a bound is reached for the first time since there was room: ends answers since from, with so many calls under way in sum.
type rush struct {
	from          time.Duration // < 0: there is none
	ends, running float64
}

// Ending says how a call ended, for a limit's sake.
type Ending uint8

const (
	// Answered calls show how fast the server is.
	Answered Ending = iota
	// Left calls show nothing: the caller went away, or nothing was sent.
	Left
	// Late calls were not answered in a time that is long for this server.
	Late
	// Dropped calls were turned away by the server because it has too many.
	Dropped
)

const (
	ratio      = 1.25 // of the two bounds
	worthwhile = 0.4  // the share of more calls that has to come back as more throughput
	mostSteps  = 4    // in one move; more than one after two moves in the same direction
	fewest     = 12   // calls in a phase
	inUse      = 0.9  // of a bound is all of it
	mostGain   = 2    // and least, of one comparison, beside worthwhile
	leastSum   = 0.25 // that moves the bound
	doubt      = 3.0  // times the noise does too
	slowPhase  = 2 * time.Second
	fewestLate = 8
	crowd      = 2 // times the calls of light use are no light use any more
	settledUse = 2 // phases until what calls take shows the new load
	rushLooks  = 3 // times a call of light use, until it shows whether a server that is rushed answers more often
	rushLeast  = 8 // answers in that time
)

// NewAdaptive makes a limit that begins at start and stays between least and most, both at least 1.
func NewAdaptive(least, start, most int) *Adaptive {
	a := &Adaptive{least: int64(max(least, 1)), most: int64(max(most, least, 1))}
	a.start = min(max(int64(start), a.least), a.most)
	a.base = max(int64(float64(a.start)/ratio), a.least)
	a.limit.Store(a.start)
	a.rush.from = -1
	return a
}

// TryAcquire takes a place if there is one.
func (a *Adaptive) TryAcquire() bool {
	for {
		n := a.running.Load()
		if n >= a.limit.Load() {
			return false
		}
		if a.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Force takes a place beyond the limit, for a call that cannot go elsewhere.
func (a *Adaptive) Force() { a.running.Add(1) }

// Free reports whether there is a place.
func (a *Adaptive) Free() bool { return a.running.Load() < a.limit.Load() }

// Running is how many places are taken.
func (a *Adaptive) Running() int { return int(a.running.Load()) }

// Limit is how many places there are now.
func (a *Adaptive) Limit() int { return int(a.limit.Load()) }

// Latency is the smoothed time of a call; 0 where none has been answered.
func (a *Adaptive) Latency() time.Duration { return time.Duration(a.latency.Load()) }

// Release gives a place back. now is the time since any moment, the same for all calls of one limit; took is how long the place was held.
func (a *Adaptive) Release(now, took time.Duration, how Ending) {
	n := a.running.Add(-1) + 1
	if how == Left {
		return
	}
	took = max(took, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if how != Answered {
		a.overloaded(now, took, how)
		return
	}
	busy := max(min(now-a.last, took), 1)
	a.last = max(a.last, now)
	smoothed := a.Latency()
	if smoothed == 0 {
		smoothed = took
	}
	smoothed += (took - smoothed) / smoothing
	a.latency.Store(int64(max(smoothed, 1)))
	limit := a.limit.Load()
	if a.full < 0 {
		a.waits = min(a.waits, now+smoothed) // it was far off where calls took long before
		switch {
		case n <= limit && float64(n) >= inUse*float64(limit):
			a.full = now
		case now >= a.waits:
			a.full = 0
		}
	}
	if a.pressed < settledUse && a.rushed(now, n, limit) {
		return
	}
	// Calls that were begun while the bound of before was left tell of both bounds: with each larger one those that come together to fill it wait less than those after
	// them, which looks as if there was room.
	if a.full < 0 || now-took < a.full {
		return
	}
	s := took.Seconds()
	a.phase.busy += busy.Seconds()
	a.phase.calls++
	a.phase.running += float64(n)
	a.phase.took += s
	if a.phase.calls < a.need(limit) && (a.phase.calls < fewest/2 || now-a.began < slowPhase) {
		return
	}
	a.turn(now, limit)
}

// need is how many calls make a phase. The bound that is in force the longer costs throughput if it is too low, and order if it is too high.
func (a *Adaptive) need(limit int64) float64 {
	if a.pressed < settledUse {
		return max(fewest, float64(a.pressed)*float64(limit))
	}
	n := max(fewest, 2*float64(limit))
	floor := a.base == a.least && a.moves < 0
	if a.low == floor && a.moves <= 1 && a.moves >= -1 {
		return 2 * n
	}
	return n
}

// turn ends a phase.
func (a *Adaptive) turn(now time.Duration, limit int64) {
	p := a.phase
	if !a.low && p.running < 0.8*p.calls*float64(limit) {
		a.pressed = 0
		if !a.crowded(&p) {
			if p.running < p.calls*float64(limit)/2 {
				a.light = light{p.took / p.calls, p.calls / p.busy}
			}
			a.unused()
		}
		a.begin(now, false)
		return
	}
	if a.pressed < settledUse {
		if a.pressed++; a.pressed == settledUse {
			a.guess(limit, p.took/p.calls)
		}
		a.begin(now, false)
		return
	}
	e := shown{p.running / p.calls, p.took / p.calls}
	if a.low {
		a.compare(a.above, e)
	} else {
		a.above = e
	}
	a.begin(now, !a.low)
}

// crowded lowers the bound of a server that has room by its bound, and in truth has none: far more calls are under way than in light use, as rate times took is, and
// they end hardly more often. So a load that is too high shows while it begins, before so many calls have come in that the bound is reached.
func (a *Adaptive) crowded(p *sums) bool {
	if a.light.took == 0 {
		return false
	}
	rate := p.calls / p.busy
	if !a.inVain(rate, rate*p.took/p.calls) {
		return false
	}
	a.clear()
	a.moves = 0
	a.base = max(a.least, min(a.base, a.enough(rate)))
	return true
}

// inVain reports whether so many calls under way, which are far more than in light use, end hardly more often.
func (a *Adaptive) inVain(rate, running float64) bool {
	more := running / (a.light.rate * a.light.took)
	return more >= crowd && math.Log(rate/a.light.rate) <= worthwhile*math.Log(more)
}

// enough is how many calls are under way where they end that often, or as often as in light use, and take no longer than in light use.
func (a *Adaptive) enough(rate float64) int64 {
	return int64(math.Ceil(max(rate, a.light.rate) * a.light.took))
}

// rushed lowers a bound at the beginning of a load that is too high: it is reached, all its calls are under way, far more than in light use, and for the time of some
// calls they have ended hardly more often. What the calls take would tell the same, but only when those that were begun behind all others have ended; until then
// more would come than the server can do in that time. As it may be that the server has slowed down instead, a quarter of the bound is left at least.
func (a *Adaptive) rushed(now time.Duration, n, limit int64) bool {
	if a.light.took == 0 || limit < a.start {
		return false
	}
	if float64(n) < inUse*float64(limit) {
		a.rush.from = -1
		return false
	}
	if a.rush.from < 0 {
		a.rush = rush{from: now}
		return false
	}
	a.rush.ends++
	a.rush.running += float64(n)
	passed := (now - a.rush.from).Seconds()
	if passed < rushLooks*a.light.took || a.rush.ends < rushLeast {
		return false
	}
	rate, running := a.rush.ends/passed, a.rush.running/a.rush.ends
	a.rush = rush{from: -1}
	if !a.inVain(rate, running) {
		return false
	}
	a.clear()
	a.moves, a.pressed = 0, settledUse
	a.base = max(a.least, limit/4, min(a.base, a.enough(rate)))
	a.begin(now, false)
	return true
}

// guess lowers a bound that is reached for the first time since there was room, by as much as calls take longer now. It may be wrong, for the server may have
// slowed down; so it is a quarter at least, and the comparisons go on from there.
func (a *Adaptive) guess(limit int64, took float64) {
	light := a.light.took
	if light == 0 || took < 2*light || limit < a.start {
		return
	}
	a.base = max(a.least, limit/4, min(a.base, int64(math.Ceil(float64(limit)*light/took))))
}

// unused lets a bound that is not reached forget what made it small.
func (a *Adaptive) unused() {
	a.clear()
	a.moves = 0
	if begun := int64(float64(a.start) / ratio); a.base < begun {
		a.base += max((begun-a.base)/4, 1)
	}
}

// begin starts a phase. What is counted are calls that end when those begun before are likely to have ended.
func (a *Adaptive) begin(now time.Duration, low bool) {
	a.low, a.phase, a.late = low, sums{}, 0
	limit := a.high()
	if low {
		limit = a.base
	}
	a.limit.Store(limit)
	a.began, a.full, a.waits = now, -1, now+a.Latency()
}

func (a *Adaptive) high() int64 {
	return min(max(a.base+1, int64(math.Ceil(float64(a.base)*ratio))), a.most)
}

// compare moves the bound where two phases, and those before them, say so beyond their own scatter: by Wald's test of a drift in a sum of noise. What befalls
// a server for a while befalls all calls that are under way, so the scatter is that from one comparison to the next, not that of calls.
func (a *Adaptive) compare(high, low shown) {
	more := math.Log(high.running / low.running)
	if more < 0.05 { // the calls have not kept to the bounds
		return
	}
	gain := (more - math.Log(high.took/low.took)) / more
	gain = min(max(gain, worthwhile-mostGain), worthwhile+mostGain)
	change := gain - a.gain
	a.noise += (change*change/2 - a.noise) / smoothing
	a.gain = gain
	a.sum += gain - worthwhile
	enough := max(leastSum, a.noise*doubt)
	switch {
	case a.sum > enough:
		a.move(+1)
	case a.sum < -enough:
		a.move(-1)
	}
}

func (a *Adaptive) clear() { a.sum = 0 }

// move changes the bound, by larger steps while the direction stays the same.
func (a *Adaptive) move(direction int) {
	a.clear()
	if a.moves*direction < 0 {
		a.moves = 0
	}
	a.moves += direction
	factor := math.Pow(ratio, float64(min(max(a.moves-1, -a.moves-1, 1), mostSteps)))
	if direction > 0 {
		a.base = max(a.base+1, int64(math.Round(float64(a.base)*factor)))
	} else {
		a.base = min(a.base-1, int64(math.Round(float64(a.base)/factor)))
	}
	a.base = max(min(a.base, int64(float64(a.most)/ratio)), a.least)
}

// overloaded lowers the bound where the server says that it has too much, or answers too few in time; once for each time of a call.
func (a *Adaptive) overloaded(now, took time.Duration, how Ending) {
	if how == Late {
		a.late++
		if a.late < fewestLate || float64(a.late) <= a.phase.calls {
			return
		}
	}
	if now < a.dropped {
		return
	}
	a.dropped = now + max(a.Latency(), took)
	a.clear()
	a.moves = 0
	a.base = max(a.least, min(a.base-1, int64(float64(a.base)/ratio)))
	a.begin(now, false)
}
