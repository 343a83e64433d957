package canary

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// traffic is 50 requests a second in counted time. Every few seconds the machine stalls or is slow for both sides, and now and then a server's trouble fails some of both.
type traffic struct {
	random   *rand.Rand
	now      time.Duration
	until    time.Duration // of the present weather
	slow     float64
	trouble  float64 // share of calls that fail
	failing  float64 // of the new version's besides
	slower   float64 // times that it takes
	differs  float64 // share of inputs that it answers otherwise
	asked    int     // of the new version
	compares float64 // share of its answers that are compared
}

func (f *traffic) weather() {
	for f.now >= f.until {
		f.until += time.Duration(f.random.ExpFloat64() * float64(1500*time.Millisecond))
		f.slow, f.trouble = 1, 0.002
		switch f.random.IntN(6) {
		case 0:
			f.slow = 1 + 4*f.random.Float64()
		case 1:
			f.trouble = 0.2 * f.random.Float64()
		}
	}
}

// run lets requests come for so long, and gives how the run ended: the move, its reason, and when.
func (f *traffic) run(c *Canary, d time.Duration) (Move, string, time.Duration) {
	end := f.now + d
	look := f.now
	for f.now < end {
		f.now += time.Duration(f.random.ExpFloat64() * float64(20*time.Millisecond))
		f.weather()
		side, failing, times := Control, f.trouble, f.slow
		if f.random.Float64()*100 < c.Share() {
			side, failing, times = Candidate, f.trouble+f.failing, f.slow*f.slower
			f.asked++
			if f.random.Float64() < f.compares {
				c.Compared(f.random.Float64() >= f.differs)
				c.Answered(Control, f.now, f.took(f.slow), f.random.Float64() < f.trouble)
			}
		}
		c.Answered(side, f.now, f.took(times), f.random.Float64() < failing)
		if f.now-look < 500*time.Millisecond {
			continue
		}
		look = f.now
		if m, reason := c.Next(f.now); m == Back || m == Finished {
			return m, reason, f.now
		}
	}
	return Stay, "", f.now
}

func (f *traffic) took(times float64) time.Duration {
	return time.Duration((0.7 + 0.6*f.random.Float64()*f.random.Float64()) * times * float64(20*time.Millisecond))
}

func begin(seed uint64, spec Spec, step int) (*traffic, *Canary) {
	spec, err := spec.Complete()
	if err != nil {
		panic(err)
	}
	f := &traffic{random: rand.New(rand.NewPCG(seed, 7)), slower: 1, compares: 0.5, differs: 0.02}
	return f, New(spec, step, 0)
}

// runs is how many seeded runs a test makes of each kind.
func runs() uint64 {
	if os.Getenv("TRITON_GATEWAY_LONG") == "1" {
		return 10_000
	}
	return 200
}

// A bad version goes back within 30 s of 50 requests a second, at a fifth of them, in each of the three ways to be bad. What fails one call in ten can be lucky for so long in a
// bad enough weather: in one run of a thousand at most.
func TestABadVersionGoesBack(t *testing.T) {
	for name, c := range map[string]struct {
		make func(*traffic)
		says string
		late uint64 // runs of which one may take longer
	}{
		"wrong labels": {func(f *traffic) { f.differs = 1 }, "answered otherwise", 1e6},
		"10 % errors":  {func(f *traffic) { f.failing = 0.1 }, "calls fail", 1000},
		"3 x slower":   {func(f *traffic) { f.slower = 3 }, "times as long", 1e6},
	} {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			late, otherwise := uint64(0), uint64(0)
			for seed := range runs() {
				f, canary := begin(seed, Spec{Steps: []float64{20, 100}, Every: Duration(time.Minute)}, 0)
				c.make(f)
				m, reason, at := f.run(canary, 5*time.Minute)
				took = append(took, at)
				if at > 30*time.Second {
					late++
				}
				if !strings.Contains(reason, c.says) { // another rule can be first, by chance
					otherwise++
				}
				if m != Back || canary.Share() != 0 {
					t.Errorf("seed %d: %v after %v, %q, share %v", seed, m, at, reason, canary.Share())
				}
			}
			slices.Sort(took)
			t.Logf("after %v at the median, %v in 99 of 100 runs, %v at the latest; %d of %d after 30 s", took[len(took)/2], took[len(took)*99/100], took[len(took)-1], late, len(took))
			if otherwise > runs()/1000 {
				t.Errorf("%d of %d runs went back for another reason", otherwise, runs())
			}
			if late > runs()/c.late {
				t.Errorf("%d of %d runs took longer than 30 s, the longest %v", late, runs(), took[len(took)-1])
			}
		})
	}
}

// A good version is promoted step by step; of 100 runs in bad weather at most one goes back.
func TestAGoodVersionIsPromoted(t *testing.T) {
	back := uint64(0)
	for seed := range runs() {
		f, canary := begin(seed, Spec{Steps: []float64{1, 5, 25, 50, 100}, Every: Duration(time.Minute), Samples: 30}, 0)
		m, reason, at := f.run(canary, time.Hour)
		switch m {
		case Back:
			back++
			t.Logf("seed %d: back after %v: %s", seed, at, reason)
		case Finished:
			if at < 5*time.Minute || !strings.Contains(reason, "good at 100 %") {
				t.Errorf("seed %d: finished after %v: %s", seed, at, reason)
			}
		default:
			t.Errorf("seed %d: not finished after an hour, at step %d", seed, canary.Step())
		}
	}
	t.Logf("%d of %d good versions went back", back, runs())
	if back > runs()/100 {
		t.Errorf("%d of %d good versions went back", back, runs())
	}
}

func TestStepsTakeTheirTimeAndAnswers(t *testing.T) {
	spec, _ := Spec{Steps: []float64{10, 100}, Every: Duration(time.Minute), Samples: 3}.Complete()
	c := New(spec, 0, 0)
	answer := func(n int, at time.Duration) {
		for range n {
			c.Answered(Candidate, at, time.Millisecond, false)
		}
	}
	answer(2, time.Second)
	if m, _ := c.Next(2 * time.Minute); m != Stay {
		t.Errorf("%v with too few answers", m)
	}
	answer(1, 2*time.Minute)
	if m, _ := c.Next(59 * time.Second); m != Stay {
		t.Errorf("%v before its time", m)
	}
	if m, _ := c.Next(2 * time.Minute); m != Up || c.Share() != 100 || c.Step() != 1 {
		t.Errorf("%v, %v %%", m, c.Share())
	}
	answer(3, 3*time.Minute)
	if m, _ := c.Next(179 * time.Second); m != Stay {
		t.Errorf("%v: the step's time begins with the step", m)
	}
	if m, _ := c.Next(3 * time.Minute); m != Finished {
		t.Errorf("%v", m)
	}
	if m, _ := c.Next(9 * time.Minute); m != Stay {
		t.Errorf("%v after the end", m)
	}
}

func TestRulesCanBeTurnedOff(t *testing.T) {
	f, c := begin(1, Spec{Steps: []float64{50, 100}, Every: Duration(10 * time.Second), Guard: Guard{Errors: -1, Slower: -1, Disagreement: -1}}, 0)
	f.failing, f.slower, f.differs = 0.5, 10, 1
	if m, reason, _ := f.run(c, time.Minute); m != Finished {
		t.Errorf("%v: %s", m, reason)
	}
}

func TestSpecFaults(t *testing.T) {
	_, err := Spec{Steps: []float64{10, 5, 101}, Samples: -1, Guard: Guard{Errors: 1, Slower: 1, Disagreement: 2}}.Complete()
	for _, place := range []string{"steps[1]", "steps[2]", "the last one has to be 100", "samples", "guard.errors", "guard.slower", "guard.disagreement"} {
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("nothing is said of %s: %v", place, err)
		}
	}
	s, err := Spec{}.Complete()
	if err != nil || s.Samples != 50 || time.Duration(s.Every) != 5*time.Minute || len(s.Steps) != 5 || s.Guard != (Guard{0.03, 1.5, 0.1}) {
		t.Errorf("%+v, %v", s, err)
	}
	if new(Duration).UnmarshalText([]byte("-1s")) == nil || new(Duration).UnmarshalText([]byte("5")) == nil {
		t.Error("no time, and taken")
	}
}
