package limit

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// station is a server of so many places and a time for each call, in time that is only counted. demand callers want to be served all the time.
type station struct {
	limit   *Adaptive
	random  *rand.Rand
	places  int
	service time.Duration
	scatter float64 // of the service time, relative, uniform
	batch   bool    // all that waits is served together: service for the run and a tenth of it for each call
	demand  int

	now     time.Duration
	running events
	waiting []time.Duration // when they came to the server
	busy    int
	served  int
	peak    int
}

type event struct {
	at, came time.Duration
	place    bool
}
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any          { old := *e; x := old[len(old)-1]; *e = old[:len(old)-1]; return x }

func newStation(limit *Adaptive, places int, service time.Duration, demand int) *station {
	return &station{limit: limit, random: rand.New(rand.NewPCG(1, 2)), places: places, service: service, scatter: 0.2, demand: demand}
}

// run lets so much time pass. peak is the highest limit seen in it, served counts.
func (s *station) run(d time.Duration) {
	end := s.now + d
	s.served, s.peak = 0, 0
	for {
		for s.limit.Running() < s.demand && s.limit.TryAcquire() {
			s.waiting = append(s.waiting, s.now)
		}
		s.start()
		if len(s.running) == 0 || s.running[0].at > end {
			s.now = end
			return
		}
		e := heap.Pop(&s.running).(event)
		s.now = e.at
		if e.place {
			s.busy--
		}
		s.limit.Release(s.now, s.now-e.came, Answered)
		s.served++
		s.peak = max(s.peak, s.limit.Limit())
	}
}

func (s *station) start() {
	for s.busy < s.places && len(s.waiting) > 0 {
		n := 1
		if s.batch {
			n = len(s.waiting)
		}
		took := time.Duration(float64(s.service) * (1 + s.scatter*(2*s.random.Float64()-1)))
		if s.batch {
			took += time.Duration(n) * s.service / 10
		}
		s.busy++
		for i := range n {
			heap.Push(&s.running, event{s.now + took, s.waiting[i], i == 0})
		}
		s.waiting = s.waiting[n:]
	}
}

// throughput is what the server could do in d.
func (s *station) throughput(d time.Duration) float64 {
	return float64(s.places) * d.Seconds() / s.service.Seconds()
}

func (s *station) settled(t *testing.T, what string, d time.Duration) {
	t.Helper()
	s.run(d)
	if most := float64(s.places)*1.5 + 1; float64(s.peak) > most {
		t.Errorf("%s: the limit went to %d for %d places", what, s.peak, s.places)
	}
	if got, want := float64(s.served), 0.9*s.throughput(d); got < want {
		t.Errorf("%s: %.0f served, %.0f were possible; the limit is %d for %d places", what, got, want/0.9, s.limit.Limit(), s.places)
	}
}

func TestAdaptiveFindsWhatAServerCanDo(t *testing.T) {
	for _, places := range []int{4, 8, 20, 60, 200} {
		for _, scatter := range []float64{0, 0.1, 0.5} {
			t.Run(fmt.Sprintf("places=%d,scatter=%v", places, scatter), func(t *testing.T) {
				s := newStation(NewAdaptive(1, 32, 1000), places, 10*time.Millisecond, 5000)
				s.scatter = scatter
				s.run(5 * time.Second)
				s.settled(t, "from the start", 5*time.Second)
				s.service *= 10
				s.run(5 * time.Second)
				s.settled(t, "ten times slower", 10*time.Second)
				s.service /= 10
				s.run(5 * time.Second)
				s.settled(t, "as before", 5*time.Second)
			})
		}
	}
}

// TestAdaptiveFollowsTheNumberOfPlaces: nine of ten instances are gone, and come back.
func TestAdaptiveFollowsTheNumberOfPlaces(t *testing.T) {
	s := newStation(NewAdaptive(1, 32, 1000), 40, 10*time.Millisecond, 5000)
	s.run(5 * time.Second)
	s.settled(t, "40", 5*time.Second)
	s.places = 4
	s.run(5 * time.Second)
	s.settled(t, "4", 5*time.Second)
	s.places = 40
	s.run(5 * time.Second)
	s.settled(t, "40 again", 5*time.Second)
}

// TestAdaptiveLetsBatchesGrow: a server whose runs cost a tenth more for each call of a batch is best with large batches.
func TestAdaptiveLetsBatchesGrow(t *testing.T) {
	s := newStation(NewAdaptive(1, 8, 1000), 1, 10*time.Millisecond, 5000)
	s.batch = true
	s.run(10 * time.Second)
	s.run(5 * time.Second)
	if best := 10 * 5 / s.service.Seconds(); float64(s.served) < 0.5*best {
		t.Errorf("%d of %.0f served, the limit is %d", s.served, best, s.limit.Limit())
	}
}

func TestAdaptiveLeavesLightUseAlone(t *testing.T) {
	s := newStation(NewAdaptive(1, 32, 1000), 4, 10*time.Millisecond, 20)
	for range 10 {
		s.run(time.Second)
		s.service *= 2
		if got := s.limit.Limit(); got != 32 {
			t.Fatalf("20 at a time, and the limit went from 32 to %d", got)
		}
	}
	// A bound that was lowered by load comes back with light use.
	s.service, s.demand = 10*time.Millisecond, 1000
	s.run(5 * time.Second)
	if s.limit.Limit() > 6 {
		t.Errorf("limit %d for 4 places", s.limit.Limit())
	}
	s.demand = 2
	s.run(5 * time.Second)
	if got := s.limit.Limit(); got < 16 {
		t.Errorf("%d after light use", got)
	}
}

func TestAdaptiveHearsTheServer(t *testing.T) {
	a := NewAdaptive(1, 32, 1000)
	turnAway := func(at time.Duration, how Ending) int {
		if !a.TryAcquire() {
			t.Fatal("no place")
		}
		a.Release(at, time.Millisecond, how)
		return a.Limit()
	}
	if got := turnAway(time.Second, Dropped); got >= 32 {
		t.Errorf("%d after a refusal", got)
	}
	had := a.Limit()
	if got := turnAway(time.Second, Dropped); got != had {
		t.Errorf("%d after another of the same moment, was %d", got, had)
	}
	for range fewestLate - 1 {
		if got := turnAway(2*time.Second, Late); got != had {
			t.Errorf("%d after few late ones", got)
		}
	}
	if got := turnAway(2*time.Second, Late); got >= had {
		t.Errorf("still %d after many late ones", got)
	}
	for i := range 1000 {
		turnAway(time.Duration(i)*time.Minute, Dropped)
	}
	if a.Limit() < 1 || a.Limit() > 2 || a.Running() != 0 || a.Latency() != 0 {
		t.Errorf("limit %d, %d running, latency %v", a.Limit(), a.Running(), a.Latency())
	}
	turnAway(time.Hour, Left)
	for range a.Limit() {
		a.TryAcquire()
	}
	if a.TryAcquire() || a.Free() {
		t.Error("a place beyond the limit")
	}
	a.Force()
	if a.Running() != a.Limit()+1 {
		t.Errorf("%d running", a.Running())
	}
}

// TestAdaptiveGuessesAfterLightUse: at the moment when load comes, much of what light use has shown holds.
func TestAdaptiveGuessesAfterLightUse(t *testing.T) {
	s := newStation(NewAdaptive(1, 32, 1000), 8, 10*time.Millisecond, 6)
	s.run(time.Second)
	s.demand = 1000
	s.run(200 * time.Millisecond)
	if got := s.limit.Limit(); got > 12 {
		t.Errorf("limit %d for 8 places", got)
	}
	s.run(2 * time.Second)
	s.settled(t, "with load", 5*time.Second)
	// It slows down at the same moment: the guess is wrong, and put right.
	s.demand = 6
	s.run(3 * time.Second)
	s.demand, s.service = 1000, 10*s.service
	s.run(5 * time.Second)
	s.settled(t, "slower, with load", 10*time.Second)
}

// TestAdaptiveComesBackFromItsMost: where demand has driven the bound up while the server kept up, it comes down when the server does not.
func TestAdaptiveComesBackFromItsMost(t *testing.T) {
	s := newStation(NewAdaptive(1, 32, 100), 1000, 10*time.Millisecond, 5000)
	s.run(3 * time.Second)
	if got := s.limit.Limit(); got < 80 || got > 100 {
		t.Errorf("limit %d of 100, with places for more", got)
	}
	s.places = 10
	s.run(5 * time.Second)
	s.settled(t, "10 places", 5*time.Second)
}

// TestAdaptiveSeesALoadThatBegins: long before the bound is reached, many more calls that end hardly more often show that it is too high; where they do end more
// often, it stays.
func TestAdaptiveSeesALoadThatBegins(t *testing.T) {
	for _, c := range []struct {
		name   string
		places int
		batch  bool
		want   func(limit, most int) bool
	}{
		{"4 places", 4, false, func(limit, most int) bool { return limit <= 8 && most <= 28 }},
		{"1 place", 1, false, func(limit, most int) bool { return limit <= 8 && most <= 28 }},
		{"room for all", 1000, false, func(limit, most int) bool { return limit >= 32 && most >= 30 }},
		{"batches", 1, true, func(limit, most int) bool { return limit >= 16 }},
	} {
		s := newStation(NewAdaptive(1, 32, 1000), c.places, 20*time.Millisecond, min(3, c.places))
		s.batch = c.batch
		s.run(2 * time.Second)
		most := 0
		for s.demand < 40 { // twice as many as 4 places can answer
			s.demand++
			s.run(20 * time.Millisecond / time.Duration(min(c.places, 4)))
			most = max(most, s.limit.Running())
		}
		if limit := s.limit.Limit(); !c.want(limit, most) {
			t.Errorf("%s: the limit is %d, and up to %d calls were under way", c.name, limit, most)
		}
	}
}

// TestAdaptiveSeesARush: a load that fills the bound at once shows in the time of some calls whether the server can do it. Where it can, or where it has slowed down at the same moment,
// the bound stays or keeps a quarter.
func TestAdaptiveSeesARush(t *testing.T) {
	for _, c := range []struct {
		name        string
		places      int
		service     time.Duration // from the rush on
		after       time.Duration
		least, most int // of the bound
	}{
		{"4 places", 4, 20 * time.Millisecond, 120 * time.Millisecond, 8, 10},
		{"1 place", 1, 20 * time.Millisecond, 200 * time.Millisecond, 8, 10},
		{"room for all", 1000, 20 * time.Millisecond, 120 * time.Millisecond, 32, 64},
		{"half slower, room for all", 1000, 30 * time.Millisecond, 120 * time.Millisecond, 32, 64},
		{"five times slower", 4, 100 * time.Millisecond, 400 * time.Millisecond, 8, 10},
	} {
		s := newStation(NewAdaptive(1, 32, 1000), c.places, 20*time.Millisecond, min(3, c.places))
		s.run(2 * time.Second)
		s.demand, s.service = 1000, c.service
		s.run(c.after)
		if got := s.limit.Limit(); got < c.least || got > c.most {
			t.Errorf("%s: limit %d, want %d to %d", c.name, got, c.least, c.most)
		}
	}
}

// TestAdaptiveLetsABurstIn: after a quiet time, calls that come together and are answered together are no crowd.
func TestAdaptiveLetsABurstIn(t *testing.T) {
	s := newStation(NewAdaptive(1, 32, 1000), 100, 20*time.Millisecond, 1)
	s.run(2 * time.Second)
	for range 5 {
		s.demand = 0
		s.run(10 * time.Second)
		s.demand = 25
		s.run(60 * time.Millisecond)
		if got := s.limit.Limit(); got < 32 {
			t.Fatalf("limit %d after a burst of 25, with places for 100", got)
		}
	}
}
