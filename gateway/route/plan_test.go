package route

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func must(t testing.TB, name string, spec Spec, before *Plan) *Plan {
	t.Helper()
	p, err := Compile(name, spec, before)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asks(user string) *Asker {
	return &Asker{Header: func(name string) string {
		if name == "X-User" {
			return user
		}
		return ""
	}}
}

// 100,000 users at 90/10: the split is right to half a percent, a user is always on one side, and when the weights move only those move who must.
func TestUsersKeepTheirSide(t *testing.T) {
	spec := Spec{Candidates: weights(90, 10), Sticky: "header:x-user"}
	p := must(t, "ab", spec, nil)
	spec.Candidates = weights(70, 30)
	q := must(t, "ab", spec, p)
	const users = 100_000
	first, after, moved := 0, 0, 0
	for i := range users {
		a := asks(fmt.Sprint("user-", i))
		was, again, is := p.Choose(a, nil), p.Choose(a, nil), q.Choose(a, nil)
		if was != again || was.Reason != "sticky:header:x-user" {
			t.Fatalf("user %d: %v, then %v", i, was, again)
		}
		if was.Version == "2" {
			first++
			if is.Version != "2" {
				t.Fatalf("user %d left the side that grew", i)
			}
		}
		if is.Version == "2" {
			after++
		}
		if was.Target != is.Target {
			moved++
		}
	}
	if math.Abs(float64(first)/users-0.1) > 0.005 || math.Abs(float64(after)/users-0.3) > 0.005 || moved != after-first {
		t.Errorf("%d of %d at 10 %%, %d at 30 %%, %d moved", first, users, after, moved)
	}
}

func TestWithoutASideChanceDecides(t *testing.T) {
	p := must(t, "ab", Spec{Candidates: weights(90, 10), Sticky: "header:X-User", Shadow: &Shadow{Target{"m", "9"}, 25}}, nil)
	r := rand.New(rand.NewPCG(1, 1))
	second, shadow, both := 0, 0, 0
	const n = 100_000
	for range n {
		a := asks("")
		a.Chance = r.Uint64()
		c := p.Choose(a, nil)
		if c.Reason != "weight" {
			t.Fatal(c.Reason)
		}
		if c.Version == "2" {
			second++
		}
		if c.Shadow {
			shadow++
			if c.Version == "2" {
				both++
			}
		}
	}
	if math.Abs(float64(second)/n-0.1) > 0.005 || math.Abs(float64(shadow)/n-0.25) > 0.005 || math.Abs(float64(both)/n-0.025) > 0.003 {
		t.Errorf("%d on the second side, %d shadowed, %d both: they have to be independent", second, shadow, both)
	}
}

func TestStickyValues(t *testing.T) {
	for text, a := range map[string]*Asker{
		"user":            {User: "web"},
		"header:x-tenant": {Header: func(n string) string { return map[string]string{"X-Tenant": "v"}[n] }},
		"cookie:side":     {Cookie: func(n string) string { return map[string]string{"side": "v"}[n] }},
		"content":         {Content: [32]byte{1}},
	} {
		p := must(t, "r", Spec{Candidates: weights(1, 1), Sticky: text}, nil)
		if got := p.Choose(a, nil).Reason; got != "sticky:"+text {
			t.Errorf("%s: %s", text, got)
		}
		if got := p.Choose(&Asker{}, nil).Reason; got != "weight" {
			t.Errorf("%s, without: %s", text, got)
		}
	}
	// Two routes with the same weights do not put the same users together.
	p, q := must(t, "a", Spec{Candidates: weights(1, 1), Sticky: "user"}, nil), must(t, "b", Spec{Candidates: weights(1, 1), Sticky: "user"}, nil)
	same := 0
	for i := range 1000 {
		a := &Asker{User: fmt.Sprint(i)}
		if p.Choose(a, nil).Target == q.Choose(a, nil).Target {
			same++
		}
	}
	if same < 400 || same > 600 {
		t.Errorf("%d of 1000 are on the same side of both", same)
	}
}

func TestRulesDecideInOrder(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	small, large, night, beta := Target{"m", "1"}, Target{"m", "2"}, Target{"n", ""}, Target{"m", "3"}
	p := must(t, "r", Spec{Candidates: []Candidate{{Target{"d", ""}, 1}}, Rules: []Rule{
		{When{Tier: "premium", PixelsOver: n(100)}, large},
		{When{Header: map[string]string{"x-beta": "*yes*now", "x-who": "a*"}}, beta},
		{When{BytesTo: n(10), RowsOver: n(1)}, small},
		{When{Time: &Hours{From: "22:00", To: "06:00", Days: []string{"fri"}, Zone: "Europe/Berlin"}}, night},
	}}, nil)
	friday := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
	header := func(beta, who string) func(string) string {
		return func(n string) string { return map[string]string{"X-Beta": beta, "X-Who": who}[n] }
	}
	for _, c := range []struct {
		name string
		a    Asker
		want string
	}{
		{"nothing fits", Asker{Now: friday}, "d weight"},
		{"tier and size", Asker{Tier: "premium", Pixels: 101, Now: friday}, "m@2 rule[0]"},
		{"the bound itself", Asker{Tier: "premium", Pixels: 100, Now: friday, Bytes: 11}, "d weight"},
		{"another tier", Asker{Tier: "free", Pixels: 101, Now: friday}, "d weight"},
		{"headers", Asker{Header: header("oh yes, it is now", "anna"), Now: friday}, "m@3 rule[1]"},
		{"one header does not fit", Asker{Header: header("oh yes, it is now", "bob"), Now: friday}, "d weight"},
		{"the end does not fit", Asker{Header: header("yes now or", "anna"), Now: friday}, "d weight"},
		{"an earlier rule wins", Asker{Tier: "premium", Pixels: 101, Header: header("yesnow", "a"), Now: friday}, "m@2 rule[0]"},
		{"few bytes, several rows", Asker{Bytes: 10, Rows: 2, Now: friday}, "m@1 rule[2]"},
		{"one row", Asker{Bytes: 10, Rows: 1, Now: friday}, "d weight"},
		{"friday 22:00 there", Asker{Now: time.Date(2026, 7, 3, 20, 0, 0, 0, time.UTC), Bytes: 99}, "n rule[3]"},
		{"friday 21:59 there", Asker{Now: time.Date(2026, 7, 3, 19, 59, 0, 0, time.UTC), Bytes: 99}, "d weight"},
		{"saturday 05:59 there", Asker{Now: time.Date(2026, 7, 4, 3, 59, 0, 0, time.UTC), Bytes: 99}, "n rule[3]"},
		{"saturday 06:00 there", Asker{Now: time.Date(2026, 7, 4, 4, 0, 0, 0, time.UTC), Bytes: 99}, "d weight"},
		{"saturday 22:00 there", Asker{Now: time.Date(2026, 7, 4, 20, 0, 0, 0, time.UTC), Bytes: 99}, "d weight"},
	} {
		got := p.Choose(&c.a, nil)
		if text := got.String() + " " + got.Reason; text != c.want {
			t.Errorf("%s: %s, not %s", c.name, text, c.want)
		}
	}
}

func TestFallback(t *testing.T) {
	a, b, c := Target{"a", ""}, Target{"b", "2"}, Target{"c", ""}
	p := must(t, "r", Spec{Candidates: []Candidate{{a, 1}}, Fallback: []Target{a, b, c}, Shadow: &Shadow{b, 100}}, nil)
	for _, k := range []struct {
		up   string
		want string
	}{{"a b c", "a weight true"}, {"b c", "b@2 fallback[1] false"}, {"c", "c fallback[2] true"}, {"", "a weight true"}} {
		got := p.Choose(&Asker{}, func(t Target) bool { return strings.Contains(k.up, t.Model) })
		if text := fmt.Sprint(got.String(), " ", got.Reason, " ", got.Shadow); text != k.want {
			t.Errorf("up %q: %s, not %s", k.up, text, k.want)
		}
	}
	if got := fmt.Sprint(p.Targets()); got != "[a b@2 c]" {
		t.Error(got)
	}
}

func BenchmarkChoose(b *testing.B) {
	p := must(b, "ab", Spec{Candidates: weights(90, 10), Sticky: "user", Rules: []Rule{{When{Tier: "premium"}, Target{"m", "2"}}}}, nil)
	a := &Asker{User: "somebody"}
	b.ReportAllocs()
	for b.Loop() {
		p.Choose(a, nil)
	}
}
