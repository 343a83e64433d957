package route

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestFaultsAreAllNamed(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	spec := Spec{
		Candidates: []Candidate{{Target{"", ""}, 0}, {Target{"m", "1.0"}, -1}, {Target{"x", ""}, 0}, {Target{"x", ""}, 0}, {Target{"y", ""}, math.NaN()}},
		Sticky:     "header:a b",
		Rules: []Rule{
			{When{}, Target{"m", ""}},
			{When{Header: map[string]string{"": "x"}}, Target{"m", "v1"}},
			{When{PixelsOver: n(5), PixelsTo: n(5)}, Target{"m", ""}},
			{When{Time: &Hours{From: "25:00"}}, Target{"m", ""}},
			{When{Time: &Hours{From: "10:00", To: "10:00"}}, Target{"m", ""}},
			{When{Time: &Hours{Days: []string{"friday"}}}, Target{"m", ""}},
			{When{Time: &Hours{Zone: "Mars/Olympus"}}, Target{"m", ""}},
		},
		Fallback: []Target{{"", ""}},
		Shadow:   &Shadow{Target{"s", ""}, 101},
	}
	_, err := Compile("r", spec, nil)
	if err == nil {
		t.Fatal("taken")
	}
	for _, place := range []string{
		"candidates[0].model", "candidates[1].version", "candidates[1].weight", "candidates[3]: x is candidates[2]", "candidates[4].weight", "sticky: \"header:a b\"",
		"rules[0].when: says nothing", "rules[1].when.header", "rules[1].use.version", "rules[2].when.pixels_over", "rules[3].when.time.from", "rules[4].when.time: from and to",
		"rules[5].when.time.days", "rules[6].when.time.zone", "fallback[0].model", "shadow.percent",
	} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("nothing is said of %s:\n%v", place, err)
		}
	}
	for _, s := range []Spec{{}, {Candidates: weights(0, 0)}, {Candidates: make([]Candidate, 17)}, {Candidates: weights(1), Rules: make([]Rule, 65)}, {Candidates: weights(1), Sticky: "cookie"}} {
		if _, err := Compile("r", s, nil); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

func TestAWrongWeightIsOneFault(t *testing.T) {
	_, err := Compile("r", Spec{Candidates: weights(-1)}, nil)
	if err == nil || !strings.Contains(err.Error(), "candidates[0].weight: -1 is not a number from 0 to 1000000") || strings.Contains(err.Error(), "all weights are 0") {
		t.Errorf("%v", err)
	}
}

func TestVersionsAreNumbersOrTexts(t *testing.T) {
	var s Spec
	if err := json.Unmarshal([]byte(`{"candidates":[{"model":"m","version":2,"weight":1},{"model":"m","version":"3","weight":1},{"model":"m","weight":1}]}`), &s); err != nil {
		t.Fatal(err)
	}
	if s.Candidates[0].Version != "2" || s.Candidates[1].Version != "3" || s.Candidates[2].Version != "" {
		t.Errorf("%+v", s)
	}
	for _, text := range []string{"-1", "1.5", "true", "{}", "1e3"} {
		if err := json.Unmarshal([]byte(`{"version":`+text+`}`), new(Target)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// FuzzCompile: whatever is written, it is refused or makes a plan that always decides for one of its targets.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`{"candidates":[{"model":"m","version":1,"weight":90},{"model":"m","version":2,"weight":10}],"sticky":"header:X-User"}`,
		`{"candidates":[{"model":"m","weight":1e-300},{"model":"n","weight":1000000}],"rules":[{"when":{"header":{"A":"***"},"time":{"from":"23:59","to":"00:00"}},"use":{"model":"x"}}],"fallback":[{"model":"z"}]}`,
		`{"candidates":[{"model":"m","weight":0.1},{"model":"n","weight":0}],"shadow":{"model":"s","percent":0.01},"sticky":"content"}`,
	} {
		f.Add([]byte(s), "value", uint64(1)<<63)
	}
	f.Fuzz(func(t *testing.T, data []byte, value string, chance uint64) {
		var s Spec
		if json.Unmarshal(data, &s) != nil {
			return
		}
		p, err := Compile("r", s, nil)
		if err != nil {
			return
		}
		if !p.Shares.valid(len(s.Candidates)) {
			t.Fatalf("%v", p.Shares)
		}
		get := func(string) string { return value }
		c := p.Choose(&Asker{User: value, Tier: value, Header: get, Cookie: get, Pixels: int64(len(value)), Chance: chance}, func(t Target) bool { return len(t.Model)%2 == 0 })
		for _, target := range p.Targets() {
			if target == c.Target {
				return
			}
		}
		t.Fatalf("%v is none of %v", c, p.Targets())
	})
}
