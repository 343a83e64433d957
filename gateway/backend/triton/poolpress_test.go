package triton

import (
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

func TestPressTellsBurstsFromLoad(t *testing.T) {
	const one = 20 * time.Millisecond
	var p press
	now := time.Minute
	// span notes calls over one span, of which every n-th is refused, and tells what the next one begins with.
	span := func(calls, every int) bool {
		t.Helper()
		p.count(now, one, false) // begins it
		for i := 1; i < calls; i++ {
			p.count(now, one, every > 0 && i%every == 0)
		}
		now += pressLooks * one
		p.count(now, one, false) // the next one begins
		on := p.on.Load()
		now += 2 * pressLooks * one
		return on
	}
	for _, c := range []struct {
		name         string
		calls, every int
		want         bool
	}{
		{"nobody refused", 100, 0, false},
		{"few refused", 100, 10, false},
		{"half refused", 100, 2, true},
		{"half refused of too few to tell", 7, 2, false},
		{"all refused", 1000, 1, true},
		{"nobody refused any more", 50, 0, false},
	} {
		if got := span(c.calls, c.every); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPressForgetsALoadThatIsOver(t *testing.T) {
	const one = 20 * time.Millisecond
	var p press
	for range 100 {
		p.count(time.Minute, one, true)
	}
	p.count(time.Minute+pressLooks*one, one, true)
	if !p.on.Load() {
		t.Fatal("not noticed")
	}
	for range 100 {
		p.count(time.Minute+pressLooks*one, one, true)
	}
	p.count(time.Hour, one, false)
	if p.on.Load() {
		t.Error("the load of an hour ago counts")
	}
}

func TestPressLooksAsLongAsCallsTake(t *testing.T) {
	for one, want := range map[time.Duration]time.Duration{0: shortestPress, time.Millisecond: shortestPress, 100 * time.Millisecond: time.Second, time.Minute: longestPress} {
		var p press
		p.count(time.Hour, one, false)
		if p.end != time.Hour+want {
			t.Errorf("calls of %v: a span of %v, want %v", one, p.end-time.Hour, want)
		}
	}
}

// A line that stays full is made short: whoever is let in then waits half the time of a call, not the time that the whole line takes.
func TestALineThatStaysFullIsShort(t *testing.T) {
	c, _ := fakes(t, 1, nil)
	p := c.pools.of(c, "m", "1")
	if got := p.room(c, 100); got != 100 {
		t.Errorf("room for %d behind 100 places", got)
	}
	if got := p.room(c, 4); got != shortestLine {
		t.Errorf("room for %d behind 4 places", got)
	}
	p.press.on.Store(true)
	for places, want := range map[int]int{1: 4, 2: 4, 4: 4, 9: 4, 10: 5, 100: 50} {
		if got := p.room(c, places); got != want {
			t.Errorf("under pressure there is room for %d behind %d places, want %d", got, places, want)
		}
	}
}

// Calls that were begun under a larger bound stand in the server's line: with them, and not behind them, the line here is as long as it may be.
func TestCallsAboveTheBoundStandInLine(t *testing.T) {
	c, _ := fakes(t, 1, nil)
	p := c.pools.of(c, "m", "1")
	l := p.remake(c).lanes[0]
	for l.limit.TryAcquire() {
	}
	if _, got, _, _ := p.speed(); got != 0 {
		t.Errorf("%d above the bound, all are within", got)
	}
	for range 6 {
		l.limit.Force()
	}
	if _, got, _, _ := p.speed(); got != 6 {
		t.Errorf("%d above the bound, want 6", got)
	}
	for range shortestLine - 7 {
		p.line.Join(priority.Interactive, time.Now(), waiter{})
	}
	if _, err := p.crowded(t.Context(), c, priority.Interactive); err != nil {
		t.Errorf("one more may wait: %v", err)
	}
	last := p.line.Join(priority.Interactive, time.Now(), waiter{})
	_, err := p.crowded(t.Context(), c, priority.Interactive)
	wantFault(t, err, fault.Busy, "queue_full")
	if out, err := p.crowded(t.Context(), c, priority.Realtime); err != nil || out != last {
		t.Errorf("nobody makes room for a realtime call: %v", err)
	}
}

// While calls are turned away more than now and then, the line is made short at once, not when the look is over.
func TestPressActsAtOnce(t *testing.T) {
	const one = 20 * time.Millisecond
	var p press
	for range 60 { // the line fills
		p.count(time.Minute, one, false)
	}
	for n := 1; !p.on.Load(); n++ {
		if n > 10 {
			t.Fatal("10 refusals of 70 calls are not noticed")
		}
		p.count(time.Minute, one, true)
	}
	var q press
	for range 20 {
		q.count(time.Minute, one, false)
	}
	for range pressLeast - 1 {
		q.count(time.Minute, one, true)
	}
	if q.on.Load() {
		t.Error("a few refusals are taken for a load")
	}
}
