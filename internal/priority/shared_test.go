package priority

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

func risen(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestSharedWorkHasTheMostUrgentClass(t *testing.T) {
	ctx, s := Share(With(t.Context(), Batch))
	if From(ctx) != Batch || s.Class() != Batch {
		t.Errorf("it begins as %v", From(ctx))
	}
	first := Risen(ctx, Batch)
	if again := Risen(ctx, Batch); again != first || risen(first) {
		t.Error("it has risen before anybody came")
	}
	s.Raise(Batch)
	if risen(first) {
		t.Error("it has risen for one who is as urgent")
	}
	s.Raise(Realtime)
	s.Raise(Interactive) // never down
	if From(ctx) != Realtime || !risen(first) || !risen(Risen(ctx, Batch)) || !risen(Risen(ctx, Interactive)) || Risen(ctx, Realtime) != nil {
		t.Errorf("it is %v", From(ctx))
	}
	if Risen(t.Context(), Batch) != nil || Risen(With(ctx, Batch), Batch) != nil {
		t.Error("what is not shared cannot rise")
	}
	if under, same := Share(context.WithoutCancel(ctx)); same != s || From(under) != Realtime {
		t.Error("a part of shared work has a class of its own")
	}
	if From(With(ctx, Realtime)) != Realtime || From(With(ctx, Batch)) != Batch {
		t.Error("With does not hold")
	}
	if _, other := Share(With(ctx, Realtime)); other == s {
		t.Error("what was given a class has still a part in what is shared")
	}
}

// One who is raised has its turn as if it had come with that class.
func TestFollowKeepsTheOrderOfArrival(t *testing.T) {
	var l Line[string]
	shared, s := Share(With(t.Context(), Batch))
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	l.Join(Interactive, at(0), "a")
	raised := l.Join(Batch, at(1), "b")
	l.Join(Interactive, at(2), "c")
	l.Join(Batch, at(3), "d")
	rise := l.Follow(shared, raised)
	if rise == nil || raised.Class() != Batch {
		t.Fatal("it is as urgent as before")
	}
	s.Raise(Interactive)
	if !risen(rise) {
		t.Error("nobody is told")
	}
	if rise = l.Follow(shared, raised); raised.Class() != Interactive || rise == nil || risen(rise) || l.Len() != 4 || l.Oldest().Value != "a" {
		t.Errorf("%v", raised.Class())
	}
	var got string
	for range 3 {
		got += turn(&l, at(3)).Value
	}
	if got != "abc" {
		t.Errorf("the interactive ones come as %s", got)
	}
	s.Raise(Realtime)
	if l.Follow(shared, raised) != nil || raised.Class() != Interactive {
		t.Error("one that has had its turn is put into a class")
	}
	if turn(&l, at(4)).Value != "d" || l.Len() != 0 {
		t.Error("somebody is left")
	}
}

// Whatever comes, leaves, has its turn or is raised: each class is in order of arrival, all are found, and nobody twice.
func TestALineThatRises(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 7))
	type one struct {
		ctx    context.Context
		shared *Shared
		place  *Place[int]
	}
	var l Line[int]
	var in []*one
	now := start
	for step := range 20_000 {
		now = now.Add(time.Duration(random.IntN(3)) * time.Second)
		pick := func() (*one, int) { i := random.IntN(len(in)); return in[i], i }
		switch what := random.IntN(5); {
		case what < 2 && len(in) < 60 || len(in) == 0:
			o := &one{}
			o.ctx, o.shared = Share(With(context.Background(), All()[random.IntN(Classes)]))
			o.place = l.Join(From(o.ctx), now, step)
			in = append(in, o)
		case what == 2:
			o, i := pick()
			if !l.Leave(o.place) || l.Leave(o.place) {
				t.Fatal("one leaves, once")
			}
			in = append(in[:i], in[i+1:]...)
		case what == 3:
			p := turn(&l, now)
			for i, o := range in {
				if o.place == p {
					in = append(in[:i], in[i+1:]...)
					break
				}
			}
		default:
			o, _ := pick()
			o.shared.Raise(All()[random.IntN(Classes)])
			if l.Follow(o.ctx, o.place); o.place.Class() != o.shared.Class() {
				t.Fatalf("step %d: a place of class %v for work of class %v", step, o.place.Class(), o.shared.Class())
			}
		}
		n := 0
		for i := range l.queues {
			q, count := &l.queues[i], 0
			var before *Place[int]
			for p := q.first; p != nil; before, p = p, p.next {
				if p.prev != before || p.class.Index() != i || !p.inLine || before != nil && p.since.Before(before.since) {
					t.Fatalf("step %d: class %d is out of order", step, i)
				}
				count++
			}
			if q.last != before || count != q.length {
				t.Fatalf("step %d: class %d has %d, and says %d", step, i, count, q.length)
			}
			n += count
		}
		if n != l.Len() || n != len(in) {
			t.Fatalf("step %d: %d in line, which says %d, of %d", step, n, l.Len(), len(in))
		}
	}
}
