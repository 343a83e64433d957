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

	mu      sync.Mutex // guards the rest
	base    int64      // the lower of the two bounds that are compared
	low     bool       // the lower one is in force
	counts  time.Duration
	phase   sums // of the present phase
	sides   [2]sums
	rounds  int           // comparisons without a result
	moves   int           // steps in the same direction, one after the other: > 0 up, < 0 down
	pressed int           // phases in a row in which the bound was in use, up to settledUse
	light   light         // use of the server while there was room
	last    time.Duration // when the last answer came
	late    int
	dropped time.Duration
}

// sums are what the calls of a phase add up to; times in seconds. busy is the time in which there was at least one of them.
type sums struct{ calls, running, took, squared, busy float64 }

// light is how a server is seen in light use: so long for a call, in seconds, and so many a second of busy time. Zeros: never seen.
type light struct{ took, rate float64 }

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
	worthwhile = 0.45 // the share of more calls that has to come back as more throughput
	mostSteps  = 4    // in one move; more than one after two moves in the same direction
	fewest     = 12   // calls in a phase
	patience   = 4    // comparisons until sums are thrown away
	slowPhase  = 2 * time.Second
	fewestLate = 8
	crowd      = 2 // times the calls of light use are no light use any more
	settledUse = 2 // phases until what calls take shows the new load
)

// NewAdaptive makes a limit that begins at start and stays between least and most, both at least 1.
func NewAdaptive(least, start, most int) *Adaptive {
	a := &Adaptive{least: int64(max(least, 1)), most: int64(max(most, least, 1))}
	a.start = min(max(int64(start), a.least), a.most)
	a.base = max(int64(float64(a.start)/ratio), a.least)
	a.limit.Store(a.start)
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
	if now < a.counts {
		a.counts = min(a.counts, now+max(smoothed, 1)*5/4) // it was far off where calls took long before
		return                                             // calls that were begun under another bound are still under way
	}
	s := took.Seconds()
	a.phase.busy += busy.Seconds()
	a.phase.calls++
	a.phase.running += float64(n)
	a.phase.took += s
	a.phase.squared += s * s
	limit := a.limit.Load()
	if a.phase.calls < a.need(limit) && (a.phase.calls < fewest/2 || now-a.counts < slowPhase) {
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
	side := &a.sides[0]
	if a.low {
		side = &a.sides[1]
	}
	side.calls += p.calls
	side.running += p.running
	side.took += p.took
	side.squared += p.squared
	if a.low {
		a.compare()
	}
	a.begin(now, !a.low)
}

// crowded lowers the bound of a server that has room by its bound, and in truth has none: far more calls are under way than in light use, as rate times took is, and
// they end hardly more often. So a load that is too high shows while it begins, before so many calls have come in that the bound is reached.
func (a *Adaptive) crowded(p *sums) bool {
	if a.light.took == 0 {
		return false
	}
	rate, took := p.calls/p.busy, p.took/p.calls
	ended, more := rate/a.light.rate, rate*took/(a.light.rate*a.light.took)
	if more < crowd || math.Log(ended) > worthwhile*math.Log(more) {
		return false
	}
	a.clear()
	a.moves = 0
	a.base = max(a.least, min(a.base, int64(math.Ceil(max(rate, a.light.rate)*a.light.took))))
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
	if limit < a.limit.Swap(limit) || low {
		a.counts = now + a.Latency()*5/4
	} else {
		a.counts = now + a.Latency()
	}
}

func (a *Adaptive) high() int64 {
	return min(max(a.base+1, int64(math.Ceil(float64(a.base)*ratio))), a.most)
}

// compare moves the bound where the sums of both sides say so beyond their own scatter.
func (a *Adaptive) compare() {
	high, low := &a.sides[0], &a.sides[1]
	more := math.Log(high.running / high.calls / (low.running / low.calls))
	if more < 0.05 { // the calls have not kept to the bounds
		a.clear()
		return
	}
	gain := (more - math.Log(high.took/high.calls/(low.took/low.calls))) / more
	scatter := math.Sqrt(high.scatter()+low.scatter()) / more
	switch {
	case gain-scatter > worthwhile:
		a.move(+1)
	case gain+scatter < worthwhile:
		a.move(-1)
	default:
		if a.rounds++; a.rounds >= patience {
			a.clear()
		}
	}
}

// scatter is the variance of the mean time, relative to it.
func (s *sums) scatter() float64 {
	mean := s.took / s.calls
	return max(s.squared/s.calls-mean*mean, 0) / (mean * mean) / s.calls
}

func (a *Adaptive) clear() { a.sides, a.rounds = [2]sums{}, 0 }

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
