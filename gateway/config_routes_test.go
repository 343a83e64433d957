package gateway

import (
	"strings"
	"testing"
	"time"
)

func TestRouteSettings(t *testing.T) {
	c, err := load(t, `
routes:
  shapes-ab:
    candidates: [{model: shapes, version: 1, weight: 90}, {model: shapes, version: "2", weight: 10}]
    sticky: header:X-User
    rules: [{when: {tier: premium}, use: {model: shapes, version: 2}}, {when: {pixels_over: 2000000}, use: {model: shapes, version: 2}}]
    fallback: [{model: shapes}]
    shadow: {model: shapes, version: 2, percent: 10}
`)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Routes["shapes-ab"]
	if len(r.Candidates) != 2 || r.Candidates[0].Target.String() != "shapes@1" || r.Candidates[1].Target.String() != "shapes@2" || r.Candidates[0].Weight != 90 || r.Sticky != "header:X-User" ||
		len(r.Rules) != 2 || r.Rules[0].When.Tier != "premium" || *r.Rules[1].When.PixelsOver != 2000000 || r.Rules[1].Use.String() != "shapes@2" || r.Fallback[0].Model != "shapes" || r.Shadow.Percent != 10 {
		t.Errorf("%+v", r)
	}
	text, err := c.Print()
	if err != nil {
		t.Fatal(err)
	}
	again := DefaultConfig()
	if err := again.decode(text); err != nil || again.Routes["shapes-ab"].Candidates[0] != r.Candidates[0] || *again.Routes["shapes-ab"].Rules[1].When.PixelsOver != 2000000 {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestRouteSettingsInTheEnvironment(t *testing.T) {
	c, err := LoadConfig("", []string{`GATEWAY_ROUTES={"ab":{"candidates":[{"model":"m","version":2,"weight":1}],"rules":[{"when":{"header":{"X-A":"b*"}},"use":{"model":"m"}}]}}`})
	if err != nil || c.Routes["ab"].Candidates[0].Target.String() != "m@2" || c.Routes["ab"].Rules[0].When.Header["X-A"] != "b*" {
		t.Errorf("%+v %v", c.Routes, err)
	}
	if _, err := LoadConfig("", []string{`GATEWAY_ROUTES={"ab":{"candidate":[]}}`}); err == nil || !strings.Contains(err.Error(), "not JSON such as") {
		t.Error(err)
	}
}

func TestRouteFaultsAllAtOnce(t *testing.T) {
	_, err := load(t, `
routes:
  zero: {candidates: [{model: m, weight: 0}]}
  nan: {candidates: [{model: m, weight: .nan}, {model: m, version: 1.5, weight: 1}]}
  "a b": {candidates: [{model: m, weight: 1}]}
  x.image: {candidates: [{model: m, weight: 1}]}
  round: {candidates: [{model: zero2, weight: 1}], shadow: {model: round, percent: 1}}
  zero2: {candidates: [{model: m, weight: 1}], sticky: moon, rules: [{when: {}, use: {model: m}}, {when: {time: {from: "25:00"}}, use: {}}]}
`)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"routes.zero.candidates: all weights are 0", "routes.nan.candidates[0].weight: NaN", "routes.nan.candidates[1].version", `unlike "a b"`, `unlike "x.image"`,
		"routes.zero2: a route leads to models alone, and route round leads to this route", "routes.round: a route leads to models alone, and route round leads to this route", "routes.zero2.sticky:", "routes.zero2.rules[0].when: says nothing", "routes.zero2.rules[1].when.time.from:", "routes.zero2.rules[1].use.model:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if _, err := load(t, "routes:\n  ab:\n    candidates: [{model: m, wieght: 1}]\n"); err == nil || !strings.Contains(err.Error(), "wieght") || !strings.Contains(err.Error(), "3") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestCanarySettings(t *testing.T) {
	c, err := load(t, `
routes:
  new:
    candidates: [{model: m, version: 1, weight: 1}, {model: m, version: 2, weight: 0}]
    canary: {model: m, version: 2, steps: [5, 100], every: 30s, samples: 10, guard: {errors: 0.1, slower: -1}, compare: 0.25}
`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Print()
	if err != nil {
		t.Fatal(err)
	}
	again := DefaultConfig()
	if err := again.decode(text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, k := range []Config{c, again} {
		s := k.Routes["new"].Canary
		if s == nil || s.Target.String() != "m@2" || len(s.Steps) != 2 || time.Duration(s.Every) != 30*time.Second || s.Samples != 10 || s.Guard.Errors != 0.1 || s.Guard.Slower != -1 || *s.Compare != 0.25 {
			t.Errorf("%+v", s)
		}
	}
	_, err = load(t, `
routes:
  a: {candidates: [{model: m, weight: 1}], canary: {model: n}}
  b: {candidates: [{model: m, weight: 1}, {model: n, weight: 0}], canary: {model: n, steps: [50, 20], guard: {slower: 1}}}
`)
	for _, want := range []string{"routes.a.canary.model: n is none of the candidates", "routes.b.canary.steps[1]", "routes.b.canary.steps: the last one", "routes.b.canary.guard.slower"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q: %v", want, err)
		}
	}
}
