package route

import (
	"math"
	"slices"
)

// slots are the parts into which all requests fall: the finest share is one of them, 0.01 %.
const slots = 10_000

// Shares say which candidate each slot belongs to, as runs in the order of the slots. A user's slot never changes, so those who move when weights do are exactly those
// who must: what a shrinking candidate has too much goes to those that grow, and nothing else moves.
type Shares []Run

// Run is some slots, one after the other, of one candidate, by its index in the spec; -1: of one that is gone.
type Run struct {
	Candidate int `json:"candidate"`
	Slots     int `json:"slots"`
}

// newShares gives slots to candidates that had none before.
func newShares(candidates []Candidate) Shares { return Shares{{-1, slots}}.move(candidates) }

// of is the candidate of a slot.
func (s Shares) of(slot int) int {
	for _, r := range s {
		if slot -= r.Slots; slot < 0 {
			return r.Candidate
		}
	}
	return -1
}

// move gives the shares of other weights, at least one of them above 0.
func (s Shares) move(candidates []Candidate) Shares {
	missing := counts(candidates)
	all := make([]int, 0, slots)
	for _, r := range s {
		for range r.Slots {
			all = append(all, r.Candidate)
		}
		if r.Candidate >= 0 {
			missing[r.Candidate] -= r.Slots
		}
	}
	next := len(candidates) - 1
	for i, c := range slices.Backward(all) {
		if c >= 0 {
			if missing[c] >= 0 {
				continue
			}
			missing[c]++
		}
		for missing[next] <= 0 {
			next--
		}
		missing[next]--
		all[i] = next
	}
	return runs(all)
}

// carry gives the shares by the places that candidates have in another list; -1 for those that are not in it.
func (s Shares) carry(from, to []Candidate) Shares {
	out := slices.Clone(s)
	for i := range out {
		if c := out[i].Candidate; c >= 0 {
			out[i].Candidate = slices.IndexFunc(to, func(t Candidate) bool { return t.Target == from[c].Target })
		}
	}
	return out
}

// counts are the slots of each candidate, by the largest remainders.
func counts(candidates []Candidate) []int {
	total := 0.0
	for _, c := range candidates {
		total += c.Weight
	}
	out, rest := make([]int, len(candidates)), make([]float64, len(candidates))
	left := slots
	for i, c := range candidates {
		exact := c.Weight / total * slots
		out[i] = int(math.Floor(exact))
		rest[i] = exact - math.Floor(exact)
		left -= out[i]
	}
	for ; left > 0; left-- {
		most := 0
		for i := range rest {
			if rest[i] > rest[most] {
				most = i
			}
		}
		out[most]++
		rest[most] = -1
	}
	return out
}

func runs(all []int) (out Shares) {
	for _, c := range all {
		if n := len(out); n > 0 && out[n-1].Candidate == c {
			out[n-1].Slots++
		} else {
			out = append(out, Run{c, 1})
		}
	}
	return out
}

// valid reports whether the shares, which may come from a store, are of so many candidates.
func (s Shares) valid(candidates int) bool {
	sum := 0
	for _, r := range s {
		if r.Candidate < -1 || r.Candidate >= candidates || r.Slots < 0 || r.Slots > slots {
			return false
		}
		sum += r.Slots
	}
	return sum == slots
}
