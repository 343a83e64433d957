package canary

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The chances of small samples, counted by hand or by trying all of them.
func TestChances(t *testing.T) {
	near := func(what string, got, want, within float64) {
		t.Helper()
		if !(math.Abs(got-want) <= within) {
			t.Errorf("%s: %v, not %v", what, got, want)
		}
	}
	near("2 of 2 drawn of 2 young and 2 old", drawn(2, 2, 2, 2, 2), 1.0/6, 1e-12)
	near("0 or 1 of them", drawn(2, 2, 2, 0, 1), 5.0/6, 1e-12)
	near("more than there are", drawn(2, 2, 2, 3, 4), 0, 0)
	near("none of the old are left", drawn(5, 0, 3, 3, 3), 1, 1e-12)
	low, high, equal := []float64{1, 2, 3, 4, 5, 6, 7, 8}, []float64{11, 12, 13, 14, 15, 16, 17, 18}, []float64{3, 3, 3, 3}
	near("all above", inTheMiddle(low, high), 1.0/12870, 4e-4)
	near("all below", inTheMiddle(high, low), 1, 1e-3)
	near("the same", inTheMiddle(low, low), 0.5, 0.03)
	near("nothing but ties", inTheMiddle(equal, equal), 1, 0)
	near("fast end, all above", atTheFastEnd(low, high), drawn(8, 8, 3, 0, 0), 1e-12)
	near("fast end, all below", atTheFastEnd(high, low), 1, 1e-12)
	near("slow end, all above", atTheSlowEnd(low, high), 0.5, 1e-12)
	near("slow end, all below", atTheSlowEnd(high, low), 1, 1e-12)
	near("ratio in the middle", ratioOf([]float64{1, 10, 10, 10}, []float64{1, 10, 30, 30}), 3, 1e-12)
	near("ratio at the fast end", ratioOf([]float64{10, 100, 100, 100}, []float64{40, 100, 100, 100}), 4, 1e-12)
	slowEnd := append(slices.Repeat([]float64{10}, 18), 50, 150)
	near("ratio at the slow end", ratioOf(slices.Repeat([]float64{10}, 20), slowEnd), 10, 1e-12)
}

// Where both sides are alike, the bet against chance wins nothing in the mean, however the times are spread.
func TestTheBetIsFair(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() float64{
		"even": random.Float64, "heavy tail": func() float64 { return math.Pow(random.Float64(), -2) },
		"one in ten is fast":    func() float64 { return 1 + 99*min(1, math.Floor(random.Float64()*10)) },
		"one in twenty is slow": func() float64 { return 1 + 50*math.Floor(random.Float64()*20/19) },
	} {
		const rounds = 1000
		won := 0.0
		for range rounds {
			var old, young []float64
			for range 40 {
				old = append(old, draw())
			}
			for range 10 {
				young = append(young, draw())
			}
			slices.Sort(old)
			slices.Sort(young)
			won += math.Exp(evidenceOf(min(1, ways*min(inTheMiddle(old, young), atTheSlowEnd(old, young), atTheFastEnd(old, young)))))
		}
		if mean := won / rounds; mean > 1 {
			t.Errorf("%s: a bet of 1 gives %v back", name, mean)
		}
	}
}

// machine is an overloaded one: a call takes what the model does and three delays, some of which are nothing and some long, in weather that changes; now and then it stands still.
type machine struct {
	random         *rand.Rand
	delay          float64 // mean of a delay in usual weather, ms
	slower         float64 // times that the new version takes
	now            float64 // ms
	until, weather float64
	from, to       float64 // the next time that it stands still
}

func (m *machine) wait() float64 {
	if m.random.Float64() < 0.4 {
		return m.random.Float64()
	}
	d := m.random.ExpFloat64()
	if m.random.Float64() < 0.1 {
		d += 4 * m.random.ExpFloat64()
	}
	return d * m.delay * m.weather
}

// took is how long a call takes that begins now, ms.
func (m *machine) took(times float64) float64 {
	t := 10*times*(0.95+0.1*m.random.Float64()) + m.wait() + m.wait() + m.wait()
	if m.now+t > m.from && m.now < m.to {
		t = max(t, m.to-m.now+2*m.random.Float64())
	}
	return t
}

// run has 50 requests a second come for so long, or until the canary has ended.
func (m *machine) run(c *Canary, d time.Duration) (Move, time.Duration) {
	type answer struct {
		at, took float64
		side     Side
	}
	var under []answer // way, the first to end first
	look := 0.0
	for m.now < d.Seconds()*1000 {
		m.now += m.random.ExpFloat64() * 20
		for m.now >= m.until {
			m.until += m.random.ExpFloat64() * 700
			m.weather = math.Exp(0.7 * m.random.NormFloat64())
		}
		for m.now >= m.to {
			m.from = m.to + m.random.ExpFloat64()*1500
			m.to = m.from + m.random.ExpFloat64()*4*m.delay
		}
		a := answer{side: Control, took: m.took(1)}
		if m.random.Float64()*100 < c.Share() {
			a = answer{side: Candidate, took: m.took(m.slower)}
		}
		a.at = m.now + a.took
		i, _ := slices.BinarySearchFunc(under, a.at, func(b answer, at float64) int { return int(math.Copysign(1, b.at-at)) })
		under = slices.Insert(under, i, a)
		for len(under) > 0 && under[0].at <= m.now {
			c.Answered(under[0].side, time.Duration(under[0].at*1e6), time.Duration(under[0].took*1e6), false)
			under = under[1:]
		}
		if m.now-look < 1000 {
			continue
		}
		look = m.now
		if move, _ := c.Next(time.Duration(m.now * 1e6)); move == Back || move == Finished {
			return move, time.Duration(m.now * 1e6)
		}
	}
	return Stay, time.Duration(m.now * 1e6)
}

// A version that takes three times as long is found where delays of another kind are two and four times as long as what the control takes, and a good one does not go back for them.
func TestTimesOnAnOverloadedMachine(t *testing.T) {
	seeds := runs() / 2
	for delay, most := range map[float64]time.Duration{10: 20 * time.Second, 20: 30 * time.Second} {
		t.Run(fmt.Sprintf("delays of %v ms", delay), func(t *testing.T) {
			var took []time.Duration
			late, back := uint64(0), uint64(0)
			for seed := range seeds {
				spec, _ := Spec{Steps: []float64{20, 100}, Every: Duration(time.Minute)}.Complete()
				m := &machine{random: rand.New(rand.NewPCG(seed, 3)), delay: delay, slower: 3}
				_, at := m.run(New(spec, 0, 0), 2*time.Minute)
				if took = append(took, at); at > most {
					late++
				}
				if seed%20 > 0 {
					continue
				}
				spec, _ = Spec{Steps: []float64{1, 5, 25, 50, 100}, Every: Duration(time.Minute), Samples: 20}.Complete()
				m = &machine{random: rand.New(rand.NewPCG(seed, 4)), delay: delay, slower: 1}
				if move, _ := m.run(New(spec, 0, 0), 5*time.Minute); move == Back {
					back++
				}
			}
			slices.Sort(took)
			t.Logf("after %v at the median, %v in 99 of 100 runs, %v at the latest; %d of %d after %v; %d of %d good ones went back", took[len(took)/2].Round(time.Second/10), took[len(took)*99/100].Round(time.Second/10),
				took[len(took)-1].Round(time.Second/10), late, seeds, most, back, seeds/20)
			if late > seeds/100 || back > seeds/20/100 {
				t.Errorf("%d of %d are found after %v; %d of %d good ones go back", late, seeds, most, back, seeds/20)
			}
		})
	}
}
