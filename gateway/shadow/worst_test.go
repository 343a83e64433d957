package shadow

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/postprocess"
)

// makes gives an item of so many bytes, and counts how often that is asked for.
func makes(name string, n int64, made *int) func(*Offer) {
	return func(o *Offer) {
		o.Item = func(_, shadow *postprocess.Result) (any, int64) {
			*made++
			return name, n
		}
	}
}

// items names what is kept, "-" where only the figures are.
func items(list []Disagreement) (out []string) {
	for _, d := range list {
		if d.Item == nil {
			out = append(out, "-")
		} else {
			out = append(out, d.Item.(string))
		}
	}
	return out
}

func TestTheWorstAreKept(t *testing.T) {
	bubble(t, Options{Keep: 3, KeepBytes: 100}, func(r *rig) {
		made := 0
		for _, c := range []struct {
			value float64
			name  string
			bytes int64
			want  []string
		}{
			{90, "10%", 10, []string{"10%"}},
			{99, "alike", 10, []string{"10%"}},
			{70, "30%", 10, []string{"30%", "10%"}},
			{80, "20%", 10, []string{"30%", "20%", "10%"}},
			{92, "8%", 10, []string{"30%", "20%", "10%"}},             // not among the worst: no item is made
			{90, "10% again", 10, []string{"30%", "20%", "10%"}},      // the older of equal ones stays
			{60, "40%", 10, []string{"40%", "30%", "20%"}},            // the least goes
			{50, "too large", 101, []string{"-", "40%", "30%"}},       // figures only
			{10, "90%", 95, []string{"90%", "-", "-"}},                // there is no room for the items of those that are better
			{20, "80%", 5, []string{"90%", "80%", "-"}},               // an item may fit beside
			{15, "85%", math.MinInt64, []string{"90%", "85%", "80%"}}, // bytes below 0 are none
		} {
			r.offer(gives(c.value), makes(c.name, c.bytes, &made))
			synctest.Wait()
			if got := items(r.Worst("r")); !slices.Equal(got, c.want) {
				t.Fatalf("after %s: %v, want %v", c.name, got, c.want)
			}
		}
		if made != 8 {
			t.Errorf("%d items were made", made)
		}
		d := r.Worst("r")[0]
		if d.Pair != pair || d.Comparison.Alike || math.Abs(d.Comparison.Distance-0.9) > 1e-12 || d.Comparison.Figures["absolute_difference"] != 90 || d.Bytes != 95 || d.Time != time.Now() {
			t.Errorf("%+v", d)
		}
		if got := r.Worst("another"); len(got) != 0 {
			t.Errorf("%v", got)
		}
		r.Forget("another")
		if len(r.Worst("r")) != 3 || len(r.Stats()) != 1 {
			t.Error("forgotten")
		}
		r.Forget("r")
		if len(r.Worst("r")) != 0 || len(r.Stats()) != 0 {
			t.Error("not forgotten")
		}
	})
}

func TestNothingIsKept(t *testing.T) {
	bubble(t, Options{Keep: -1}, func(r *rig) {
		made := 0
		r.offer(gives(1), makes("x", 1, &made))
		synctest.Wait()
		if made != 0 || len(r.Worst("r")) != 0 {
			t.Errorf("%d made, %v", made, r.Worst("r"))
		}
	})
}

// An item is made from both answers while they are good.
func TestTheItemIsMadeBeforeTheRelease(t *testing.T) {
	bubble(t, Options{}, func(r *rig) {
		r.offer(gives(1), func(o *Offer) {
			o.Item = func(primary, shadow *postprocess.Result) (any, int64) {
				if r.released.Load() != 0 {
					t.Error("released")
				}
				return *primary.Value + *shadow.Value, 8
			}
		})
		synctest.Wait()
		if got := r.Worst("r"); len(got) != 1 || got[0].Item != 101.0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSums(t *testing.T) {
	bubble(t, Options{}, func(r *rig) {
		zero := 0.0
		for _, v := range []float64{100, 96, 90, nan} {
			r.offer(gives(v))
			synctest.Wait()
		}
		r.offer(gives(99.5), func(o *Offer) { o.Tolerance = &zero })
		synctest.Wait()
		other := Pair{Route: "r", Primary: "a", Shadow: "a2"}
		r.offer(gives(-math.MaxFloat64), func(o *Offer) { o.Pair, o.Primary = other, made(math.MaxFloat64) })
		synctest.Wait()
		r.offer(gives(-math.MaxFloat64), func(o *Offer) { o.Pair, o.Primary = other, made(math.MaxFloat64) })
		synctest.Wait()
		s := r.Stats()
		if len(s) != 2 || s[0].Pair != other || s[1].Pair != pair {
			t.Fatalf("%+v", s)
		}
		if got := s[0].Figures["absolute_difference"]; got != (Total{2, math.MaxFloat64}) {
			t.Errorf("%v", got)
		}
		got := s[1]
		if got.Outcomes[Compared] != 5 || got.Alike != 2 || math.Abs(got.Distance-(0.04+0.1+1+0.005)) > 1e-12 {
			t.Errorf("%+v", got)
		}
		if f := got.Figures["absolute_difference"]; f.Count != 5 || math.Abs(f.Sum-14.5) > 1e-12 {
			t.Errorf("%+v", f)
		}
		got.Outcomes[Compared] = 77
		got.Figures["absolute_difference"] = Total{}
		if again := r.Stats()[1]; again.Outcomes[Compared] != 5 || again.Figures["absolute_difference"].Count != 5 {
			t.Error("what was given is shared")
		}
	})
}
