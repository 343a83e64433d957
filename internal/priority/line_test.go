package priority

import (
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// turn gives the next turn.
func turn[T any](l *Line[T], now time.Time) *Place[T] {
	p := l.Next(now)
	if p != nil {
		l.Take(p, now)
	}
	return p
}

func TestOneClassIsInOrderOfArrival(t *testing.T) {
	for _, c := range All() {
		var l Line[int]
		var places []*Place[int]
		for i := range 100 {
			if got := l.Before(c); got != i {
				t.Fatalf("%v: %d before it, not %d", c, got, i)
			}
			places = append(places, l.Join(c, start.Add(time.Duration(i)*time.Second), i))
		}
		for _, i := range []int{0, 50, 99} {
			if !l.Leave(places[i]) || l.Leave(places[i]) {
				t.Errorf("%v: %d leaves once", c, i)
			}
		}
		for i := range 100 {
			if i == 0 || i == 50 || i == 99 {
				continue
			}
			if p := turn(&l, start.Add(time.Hour)); p != places[i] || p.Value != i || p.Waits() {
				t.Fatalf("%v: %d instead of %d", c, p.Value, i)
			}
		}
		if l.Len() != 0 || l.Next(start) != nil || l.Oldest() != nil || l.Yielding(Realtime) != nil {
			t.Errorf("%v: somebody is left", c)
		}
	}
}

func TestSharesAreTheWeights(t *testing.T) {
	for _, rules := range []Rules{{}, {Weights: [Classes]int{1, 1, 1}}, {Weights: [Classes]int{100, 10, 3}}} {
		var l Line[int]
		l.Under(Policy{Rules: rules})
		sum := uint64(0)
		for i, c := range All() {
			sum += rules.weight(i)
			for range 20 {
				l.Join(c, start, 0)
			}
		}
		const turns = 21000
		var got [Classes]int
		for range turns { // all of them wait all the time, and nobody long
			c := turn(&l, start).Class()
			got[c.Index()]++
			l.Join(c, start, 0)
		}
		for i, c := range All() {
			want := float64(turns) * float64(rules.weight(i)) / float64(sum)
			if d := float64(got[i]) - want; d > 3 || d < -3 {
				t.Errorf("%v: %v had %d turns, not %.1f", rules.Weights, c, got[i], want)
			}
		}
	}
}

func TestWhoBeginsToWaitHasNothingInHand(t *testing.T) {
	var l Line[int]
	for range 500 {
		l.Join(Interactive, start, 0)
	}
	for range 300 {
		turn(&l, start)
	}
	for range 100 {
		l.Join(Batch, start, 0)
	}
	got := 0
	for range 50 {
		if turn(&l, start).Class() == Batch {
			got++
		}
	}
	if got < 9 || got > 11 {
		t.Errorf("batch came in late and had %d of 50 turns, not its fifth", got)
	}
}

// TestAgeBounds: whatever comes, a place with n older ones before it, of all classes, is reached after Ageing and 4n+4 turns.
func TestAgeBounds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var l Line[int] // Value: the last turn by which it has to be reached, counted from when it is old
		l.Under(Policy{Rules: Rules{Weights: [Classes]int{1 + r.IntN(MostWeight), 1 + r.IntN(10), 1}, Ageing: time.Minute}})
		now := start
		joined := map[*Place[int]]bool{}
		old := map[*Place[int]]int{} // turns since it is old
		for range 1000 {
			now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			for range 1 + r.IntN(2) { // more than there are turns
				c := All()[min(r.IntN(4), 2)]
				if l.Len() < 300 {
					p := l.Join(c, now, l.Len())
					joined[p] = true
				}
			}
			for p := range joined {
				if now.Sub(p.since) >= time.Minute {
					old[p]++
				}
			}
			p := turn(&l, now)
			if n := old[p]; n > 4*p.Value+4 {
				t.Fatalf("seed %d: %v had %d before it and waited %d turns of old age", seed, p.class, p.Value, n)
			}
			delete(joined, p)
			delete(old, p)
		}
		for p, n := range old {
			if n > 4*p.Value+4 {
				t.Fatalf("seed %d: %v has %d before it and waits since %d turns of old age", seed, p.class, p.Value, n)
			}
		}
	}
}

func TestAgeLeavesTheUrgentThreeOfFour(t *testing.T) {
	var l Line[int]
	for range 1000 {
		l.Join(Batch, start, 0)
	}
	late := start.Add(time.Hour)
	urgent := 0
	for range 1000 {
		l.Join(Realtime, late, 0)
		if turn(&l, late).Class() == Realtime {
			urgent++
		}
	}
	if urgent < 700 || urgent > 750 {
		t.Errorf("realtime had %d of 1000 turns beside a thousand that are old", urgent)
	}
}

func TestTheNewestOfTheLeastUrgentYields(t *testing.T) {
	var l Line[string]
	m := new(Meter)
	l.Under(Policy{Meter: m})
	l.Join(Batch, start, "batch 1")
	l.Join(Interactive, start, "interactive 1")
	l.Join(Batch, start, "batch 2")
	l.Join(Realtime, start, "realtime 1")
	if p := l.Yielding(Batch); p != nil {
		t.Errorf("%s yields to its like", p.Value)
	}
	for _, want := range []string{"batch 2", "batch 1", "interactive 1"} {
		p := l.Yielding(Realtime)
		if p == nil || p.Value != want {
			t.Fatalf("%v yields, not %s", p, want)
		}
		if q := l.Yielding(Interactive); want[0] == 'b' && q != p || want[0] != 'b' && q != nil {
			t.Errorf("to interactive, %v", q)
		}
		l.Yield(p)
	}
	if l.Yielding(Realtime) != nil || l.Len() != 1 {
		t.Error("the most urgent ones yield")
	}
	turn(&l, start.Add(time.Second))
	want := [Classes]Figures{{Waits: 1, Waited: time.Second}, {Refused: 1}, {Refused: 2}}
	if got := m.Figures(); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// TestBefore: the estimate is what happens, where nobody else comes.
func TestBefore(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var l Line[int]
		for range r.IntN(60) {
			l.Join(All()[r.IntN(3)], start, 0)
		}
		c := All()[r.IntN(3)]
		want := l.Before(c)
		me := l.Join(c, start, 1)
		got := 0
		for turn(&l, start) != me {
			got++
		}
		if got > want || want-got > 21 { // a round of all weights
			t.Fatalf("seed %d: %v had %d before it, and %d were expected", seed, c, got, want)
		}
	}
}

func TestNothingButJoinAllocates(t *testing.T) {
	var l Line[int]
	l.Under(Policy{Meter: new(Meter)})
	for i := range 3000 {
		l.Join(All()[i%3], start, i)
	}
	if n := testing.AllocsPerRun(1000, func() {
		l.Before(Batch)
		p := l.Next(start)
		l.Take(p, start)
		l.Leave(l.Yielding(Realtime))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTurnOfAThousand(b *testing.B) {
	var l Line[int]
	for i := range 1000 {
		l.Join(All()[i%3], start, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		p := l.Next(start)
		l.Take(p, start)
		l.Join(p.Class(), start, 0)
	}
}
