package quota

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"triton-gateway/internal/fault"
)

// modelBucket is a bucket as a person would count it: an amount, and the time of it.
type modelBucket struct {
	limit Limit
	level float64
}

// TestLikeTheModel holds random requests, costs and times to buckets that are counted plainly.
func TestLikeTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []Limit{
			{Requests, float64(rapid.IntRange(1, 20).Draw(t, "requests")), time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Second},
			{Pixels, float64(rapid.IntRange(1, 1e8).Draw(t, "pixels")), time.Duration(rapid.IntRange(1, 60).Draw(t, "pixel window")) * time.Second},
			{Bytes, float64(rapid.IntRange(1, 1e7).Draw(t, "bytes")), 0},
		}
		c := newClock()
		l, err := New(Config{Tiers: map[string]Tier{DefaultTier: {Limits: limits}}, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		var model []modelBucket
		for _, m := range limits {
			model = append(model, modelBucket{m, m.Quota})
		}
		guess := 0.0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			passed := time.Duration(rapid.IntRange(0, 5e6).Draw(t, "microseconds")) * time.Microsecond
			if rapid.IntRange(0, 19).Draw(t, "a day") == 0 {
				passed += 24 * time.Hour
			}
			before := dayOf(c.now())
			c.add(passed)
			for i := range model {
				m := &model[i]
				if m.limit.Window > 0 {
					m.level = math.Min(m.limit.Quota, m.level+m.limit.Quota*passed.Seconds()/m.limit.Window.Seconds())
				} else if dayOf(c.now()) > before {
					m.level = m.limit.Quota
				}
			}
			announced := int64(rapid.IntRange(0, 1e6).Draw(t, "announced"))
			p, err := l.Enter(t.Context(), web, announced)
			room, clear := true, true
			wait := 0.0
			for _, m := range model {
				room = room && m.level >= 1
				clear = clear && math.Abs(m.level-1) > 1e-4 // else rounding decides
				if m.level < 1 {
					w := (1 - m.level) * m.limit.Window.Seconds() / m.limit.Quota
					if m.limit.Window == 0 {
						w = float64(day - c.now().Unix()%day)
					}
					wait = math.Max(wait, w)
				}
			}
			if clear && room != (err == nil) {
				t.Fatalf("let in: %v; the model: %+v", err, model)
			}
			if err != nil {
				var f *fault.Error
				if !errors.As(err, &f) || math.Abs(f.RetryAfter.Seconds()-wait) > 1.001 {
					t.Fatalf("%v after %v, not %v", err, f.RetryAfter, wait)
				}
				continue
			}
			pixels, sent := float64(rapid.IntRange(0, 5e7).Draw(t, "pixels used")), float64(rapid.IntRange(0, 1e6).Draw(t, "sent"))
			items := rapid.IntRange(1, 4).Draw(t, "items")
			p.Add(Pixels, pixels)
			p.Add(Bytes, sent)
			for range items {
				p.Item()
			}
			p.Leave()
			// What was guessed was taken and is given back: a full bucket that was filled meanwhile keeps no more than it holds.
			used := []float64{float64(items), pixels, sent}
			ahead := []float64{1, guess, float64(announced)}
			for i := range model {
				m := &model[i]
				m.level = math.Min(m.limit.Quota, m.level-ahead[i])
				m.level = math.Min(m.limit.Quota, m.level-(used[i]-ahead[i]))
			}
			guess += (pixels - guess) / smoothing
			a := l.account(web)
			for i := range model {
				if got := a.buckets[i].left(); math.Abs(got-model[i].level) > 1e-3+1e-9*model[i].limit.Quota {
					t.Fatalf("%s holds %v, not %v", limits[i].Name(), got, model[i].level)
				}
			}
		}
	})
}

// TestNeverMoreThanTheQuota presses one bucket as hard as it can be, and counts any window of time.
func TestNeverMoreThanTheQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{Requests, float64(rapid.IntRange(1, 50).Draw(t, "quota")), time.Duration(rapid.IntRange(1, 20).Draw(t, "window")) * time.Second}
		c := newClock()
		l, err := New(Config{Tiers: map[string]Tier{DefaultTier: {Limits: []Limit{limit}}}, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		var times []time.Time
		for range 300 {
			c.add(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
			if p, err := l.Enter(t.Context(), web, 0); err == nil {
				p.Leave()
				times = append(times, c.now())
			}
		}
		for i := range times {
			for j := i; j < len(times); j++ {
				most := limit.Quota + limit.perSecond()*times[j].Sub(times[i]).Seconds() + 1e-3
				if n := float64(j - i + 1); n > most {
					t.Fatalf("%v let in within %v, at most %v", n, times[j].Sub(times[i]), most)
				}
			}
		}
	})
}
