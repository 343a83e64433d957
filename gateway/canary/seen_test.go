package canary

import (
	"testing"
	"time"
)

func TestSeen(t *testing.T) {
	spec, _ := Spec{Steps: []float64{10, 50, 100}, Every: Duration(time.Minute), Samples: 3, Guard: Guard{Slower: -1}}.Complete()
	c := New(spec, 1, time.Second)
	for i := range 10 {
		c.Answered(Control, 2*time.Second, time.Millisecond, false)
		c.Answered(Candidate, 2*time.Second, time.Millisecond, i%2 == 0)
		c.Compared(i > 1)
	}
	s := c.Seen()
	if s.Step != 1 || s.Since != time.Second || s.Sides != [2]Answers{{10, 0}, {10, 5}} || s.Pairs != (Answers{10, 2}) || len(s.Evidence) != 2 || s.Rule != "" {
		t.Errorf("%+v", s)
	}
	for i := range 60 {
		c.Answered(Candidate, time.Duration(i+3)*time.Second, time.Millisecond, i%2 == 0)
	}
	if m, reason := c.Next(70 * time.Second); m != Back || reason == "" {
		t.Fatalf("%v %s", m, reason)
	}
	if s := c.Seen(); s.Rule != ByErrors || s.Evidence[ByErrors] <= 1 {
		t.Errorf("%+v", s)
	}
}

// A step that needs comparisons waits for them.
func TestNeed(t *testing.T) {
	spec, _ := Spec{Steps: []float64{10, 100}, Every: Duration(time.Minute), Samples: 3}.Complete()
	c := New(spec, 0, 0)
	c.Need(2)
	for range 9 {
		c.Answered(Candidate, time.Second, time.Millisecond, false)
	}
	c.Compared(true)
	if m, _ := c.Next(time.Hour); m != Stay {
		t.Errorf("%v with one comparison of two", m)
	}
	c.Compared(true)
	if m, _ := c.Next(time.Hour); m != Up {
		t.Errorf("%v", m)
	}
	if m, _ := c.Next(9 * time.Hour); m != Stay {
		t.Errorf("%v: the next step needs its own", m)
	}
}

// Gateways of one canary go where one of them has gone, and one whose move was not written down goes back and decides anew.
func TestGo(t *testing.T) {
	spec, _ := Spec{Steps: []float64{10, 50, 100}, Every: Duration(time.Minute), Samples: 3}.Complete()
	c := New(spec, 0, 0)
	answer := func(at time.Duration) {
		for range 3 {
			c.Answered(Candidate, at, time.Millisecond, false)
		}
	}
	answer(time.Second)
	c.Go(1, 30*time.Second)
	if s := c.Seen(); s.Step != 1 || s.Since != 30*time.Second || s.Sides[Candidate].Calls != 0 || c.Share() != 50 {
		t.Errorf("%+v", s)
	}
	c.Go(1, 50*time.Second) // which changes nothing
	answer(55 * time.Second)
	if m, _ := c.Next(89 * time.Second); m != Stay {
		t.Errorf("%v before its time", m)
	}
	if m, _ := c.Next(90 * time.Second); m != Up || c.Step() != 2 {
		t.Fatalf("%v", m)
	}
	c.Go(1, 91*time.Second)
	if c.Step() != 1 || c.Share() != 50 {
		t.Errorf("step %d", c.Step())
	}
	answer(151 * time.Second)
	if m, _ := c.Next(151 * time.Second); m != Up {
		t.Errorf("%v", m)
	}
	c.Go(99, 152*time.Second)
	if c.Step() != 2 {
		t.Errorf("step %d of three", c.Step())
	}
	for range 200 {
		c.Compared(false)
	}
	if m, _ := c.Next(160 * time.Second); m != Back || c.Share() != 0 {
		t.Fatalf("%v", m)
	}
	c.Go(2, 161*time.Second) // an operator wants to see more
	if m, _ := c.Next(162 * time.Second); m != Stay || c.Share() != 100 {
		t.Errorf("%v: evidence against it stays from a run that has ended", m)
	}
}
