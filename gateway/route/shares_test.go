package route

import (
	"testing"

	"pgregory.net/rapid"
)

func weights(w ...float64) []Candidate {
	out := make([]Candidate, len(w))
	for i := range w {
		out[i] = Candidate{Target{"m", Version('1' + rune(i))}, w[i]}
	}
	return out
}

func owners(s Shares) []int {
	var out []int
	for _, r := range s {
		for range r.Slots {
			out = append(out, r.Candidate)
		}
	}
	return out
}

func held(s Shares, n int) []int {
	out := make([]int, n)
	for _, c := range owners(s) {
		out[c]++
	}
	return out
}

func TestSharesAreWhatTheWeightsSay(t *testing.T) {
	for _, c := range []struct {
		weights []float64
		want    []int
	}{
		{[]float64{90, 10}, []int{9000, 1000}},
		{[]float64{1, 1, 1}, []int{3334, 3333, 3333}},
		{[]float64{0, 5}, []int{0, 10000}},
		{[]float64{1e6, 1}, []int{10000, 0}},
		{[]float64{0.5, 0.25, 0.25}, []int{5000, 2500, 2500}},
	} {
		s := newShares(weights(c.weights...))
		for i, n := range held(s, len(c.weights)) {
			if n != c.want[i] {
				t.Errorf("%v: candidate %d has %d slots, not %d", c.weights, i, n, c.want[i])
			}
		}
		if !s.valid(len(c.weights)) {
			t.Errorf("%v is not valid", s)
		}
	}
}

// Only those move who must: as many as the growing candidates gain, and only to them.
func TestSharesMoveAsFewAsTheyMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "candidates")
		draw := func(what string) []Candidate {
			w := rapid.SliceOfN(rapid.Float64Range(0, 100), n, n).Draw(t, what)
			w[rapid.IntRange(0, n-1).Draw(t, "someone")] += 1
			return weights(w...)
		}
		s := newShares(draw("first"))
		for range 3 {
			next := draw("next")
			before, after, moved := held(s, n), counts(next), 0
			m := s.move(next)
			was, is := owners(s), owners(m)
			for i := range was {
				if was[i] != is[i] {
					moved++
					if after[is[i]] <= before[is[i]] {
						t.Fatalf("slot %d went to candidate %d, which did not grow", i, is[i])
					}
				}
			}
			must := 0
			for i := range after {
				must += max(after[i]-before[i], 0)
			}
			if moved != must {
				t.Fatalf("%d moved, %d had to: %v to %v", moved, must, s, m)
			}
			if got := held(m, n); !m.valid(n) || !equal(got, after) {
				t.Fatalf("%v, wanted %v", got, after)
			}
			s = m
		}
	})
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// A candidate keeps its users when the list is written in another order, and when another one goes.
func TestSharesFollowTheirCandidate(t *testing.T) {
	old := weights(50, 30, 20)
	s := newShares(old)
	turned := []Candidate{old[2], old[0], old[1]}
	was, is := owners(s), owners(s.carry(old, turned).move(turned))
	for i := range was {
		if old[was[i]].Target != turned[is[i]].Target {
			t.Fatalf("slot %d went from %s to %s", i, old[was[i]].Target, turned[is[i]].Target)
		}
	}
	two := []Candidate{old[0], old[2]} // 50 : 20
	is = owners(s.carry(old, two).move(two))
	for i := range was {
		if was[i] != 1 && old[was[i]].Target != two[is[i]].Target {
			t.Fatalf("slot %d moved from %s to %s, though its candidate stays", i, old[was[i]].Target, two[is[i]].Target)
		}
	}
}

func TestSharesOfAStoreAreChecked(t *testing.T) {
	for _, s := range []Shares{nil, {{0, 9999}}, {{0, 10001}}, {{2, slots}}, {{-2, slots}}, {{0, slots + 1}, {0, -1}}} {
		if s.valid(2) {
			t.Errorf("%v is taken", s)
		}
		p, err := Restore("r", Spec{Candidates: weights(1, 1)}, s, 0)
		if err != nil || !equal(held(p.Shares, 2), []int{5000, 5000}) {
			t.Errorf("%v: %v, %v", s, p, err)
		}
	}
	kept := Shares{{1, 2500}, {0, 5000}, {1, 2500}}
	if p, err := Restore("r", Spec{Candidates: weights(1, 1)}, kept, 0); err != nil || len(p.Shares) != 3 || p.Shares[0] != kept[0] {
		t.Errorf("%v, %v", p, err)
	}
}
