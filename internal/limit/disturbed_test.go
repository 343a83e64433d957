package limit

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// weather is how a server's speed changes for no reason that a bound could change: spells in which everything takes longer, or nothing ends at all, as where
// another program takes the processors.
type weather struct {
	random *rand.Rand
	next   time.Duration // when the present spell ends
	factor float64       // of service times; 0: nothing begins in this spell
	bad    bool
}

// at is the factor of a call that begins now, and when it begins.
func (w *weather) at(now time.Duration) (float64, time.Duration) {
	for now >= w.next {
		length := func(mean time.Duration) time.Duration { return time.Duration(w.random.ExpFloat64() * float64(mean)) }
		w.bad = !w.bad
		switch {
		case !w.bad:
			w.factor, w.next = 1, w.next+length(time.Second)
		case w.random.IntN(2) == 0:
			w.factor, w.next = 0, w.next+length(60*time.Millisecond)
		default:
			w.factor, w.next = 1+2*w.random.Float64(), w.next+length(700*time.Millisecond)
		}
	}
	if w.factor == 0 {
		return 1, w.next
	}
	return w.factor, now
}

// open is a station to which calls come at their own rate, whatever becomes of them; those that find no place are sent away.
type open struct {
	*station
	weather weather
	every   time.Duration // from one call to the next
	next    time.Duration
	over    time.Duration // how long the limit stood above bound
	bound   int
	free    []time.Duration // when each place is free
}

func newOpen(limit *Adaptive, places int, service time.Duration, load float64, seed uint64) *open {
	s := newStation(limit, places, service, 0)
	s.random = rand.New(rand.NewPCG(seed, 1))
	o := &open{station: s, every: time.Duration(float64(service) / float64(places) / load), free: make([]time.Duration, places)}
	o.weather.random = rand.New(rand.NewPCG(seed, 2))
	return o
}

// run lets calls come for so long.
func (o *open) run(d time.Duration) {
	end := o.now + d
	o.served, o.peak, o.over = 0, 0, 0
	for o.now < end {
		if len(o.running) > 0 && o.running[0].at <= o.next {
			e := heap.Pop(&o.running).(event)
			before := o.now
			o.now = max(o.now, e.at)
			if o.limit.Limit() > o.bound {
				o.over += o.now - before
			}
			o.limit.Release(o.now, o.now-e.came, Answered)
			o.served++
			o.peak = max(o.peak, o.limit.Limit())
			continue
		}
		before := o.now
		o.now = o.next
		if o.limit.Limit() > o.bound {
			o.over += o.now - before
		}
		o.next += time.Duration(o.random.ExpFloat64() * float64(o.every))
		if !o.limit.TryAcquire() {
			continue
		}
		// The place that is free first takes it: calls are served in the order in which they came.
		first := 0
		for i := range o.free {
			if o.free[i] < o.free[first] {
				first = i
			}
		}
		factor, begins := o.weather.at(max(o.now, o.free[first]))
		took := float64(o.service) * factor * (1 + o.scatter*(2*o.random.Float64()-1))
		o.free[first] = begins + time.Duration(took)
		heap.Push(&o.running, event{at: o.free[first], came: o.now})
	}
}

// TestAdaptiveInBadWeather: a server whose speed changes all the time, under more load than it can answer, does not make the bound climb, for what is beyond
// its places waits in it for nothing; and it is kept busy all the same.
func TestAdaptiveInBadWeather(t *testing.T) {
	const warm, measured = 5 * time.Second, time.Minute
	for _, c := range []struct {
		places  int
		highest int     // that the bound ever may be; it begins at 32
		long    float64 // share of the time that it may stand above 4 more than three times the places, at twice and five times the load
	}{{1, 64, 0.8}, {4, 64, 0.2}, {20, 200, 0.05}} {
		for _, load := range []float64{1.2, 2, 5} {
			t.Run(fmt.Sprintf("places=%d,load=%v", c.places, load), func(t *testing.T) {
				var over time.Duration
				highest, served, possible, seeds := 0, 0, 0, 8
				for seed := range seeds {
					run := func(limit *Adaptive) *open {
						o := newOpen(limit, c.places, 20*time.Millisecond, load, uint64(seed))
						o.bound = 3*c.places + 4
						o.run(warm)
						o.run(measured)
						return o
					}
					o := run(NewAdaptive(1, 32, 1000))
					over, highest, served = over+o.over, max(highest, o.peak), served+o.served
					possible += run(NewAdaptive(1000, 1000, 1000)).served
				}
				long, busy := over.Seconds()/measured.Seconds()/float64(seeds), float64(served)/float64(possible)
				t.Logf("above %d for %.3f of the time, at most %d; %.3f of what could be served", 3*c.places+4, long, highest, busy)
				if highest > c.highest || load >= 2 && long > c.long || busy < 0.85 {
					t.Errorf("wanted: at most %d, above for %v of the time, 0.85 served", c.highest, c.long)
				}
			})
		}
	}
}
