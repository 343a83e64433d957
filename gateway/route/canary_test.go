package route

import (
	"encoding/json"
	"strings"
	"testing"

	"triton-gateway/gateway/canary"
)

func withCanary(steps ...float64) Spec {
	s := Spec{Sticky: "user", Candidates: weights(60, 30, 5)}
	s.Canary = &Canary{Target: Target{"m", "3"}, Spec: canary.Spec{Steps: steps}}
	return s
}

// The canary has its step's share whatever its weight says, and the others share the rest as they are written.
func TestSharesOfACanary(t *testing.T) {
	spec := withCanary(10, 40, 100)
	p, err := Compile("r", spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		percent float64
		want    []int
	}{{10, []int{6000, 3000, 1000}}, {40, []int{4000, 2000, 4000}}, {100, []int{0, 0, 10000}}, {0, []int{6667, 3333, 0}}, {10, []int{6000, 3000, 1000}}} {
		before := owners(p.Shares)
		if p, err = CompileAt("r", spec, p, c.percent); err != nil {
			t.Fatal(err)
		}
		if got := held(p.Shares, 3); !equal(got, c.want) {
			t.Errorf("at %v %%: %v, not %v", c.percent, got, c.want)
		}
		moved := 0
		for slot, now := range owners(p.Shares) {
			if before[slot] != now {
				moved++
			}
		}
		must := 0
		for i, n := range held(p.Shares, 3) {
			had := 0
			for _, o := range before {
				if o == i {
					had++
				}
			}
			must += max(0, n-had)
		}
		if moved != must {
			t.Errorf("at %v %%: %d slots moved, %d had to", c.percent, moved, must)
		}
	}
	kept, err := Restore("r", spec, p.Shares, 40)
	if err != nil || !equal(held(kept.Shares, 3), []int{4000, 2000, 4000}) {
		t.Errorf("%v %v", kept, err)
	}
	if control, ok := spec.Control(); !ok || control != (Target{"m", "1"}) {
		t.Errorf("control %v", control)
	}
}

func TestCanaryFaults(t *testing.T) {
	share := 1.5
	for _, c := range []struct {
		change func(*Spec)
		says   []string
	}{
		{func(s *Spec) { s.Canary.Version = "9" }, []string{"canary.model: m@9 is none of the candidates"}},
		{func(s *Spec) { s.Canary.Model = "" }, []string{"canary.model: name the model"}},
		{func(s *Spec) { s.Canary.Version = "x" }, []string{"canary.version"}},
		{func(s *Spec) { s.Candidates = weights(0, 0, 5) }, []string{"canary.model: no other candidate has a weight"}},
		{func(s *Spec) { s.Canary.Steps = []float64{10, 5, 200} }, []string{"canary.steps[1]", "canary.steps[2]", "the last one has to be 100"}},
		{func(s *Spec) { s.Canary.Compare = &share; s.Canary.Guard.Errors = 2 }, []string{"canary.compare: 1.5", "canary.guard.errors"}},
	} {
		s := withCanary(10, 100)
		c.change(&s)
		_, err := Compile("r", s, nil)
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not said: %v", want, err)
			}
		}
	}
	s := withCanary(10, 100)
	s.Candidates[2].Weight = 0
	if _, err := Compile("r", s, nil); err != nil {
		t.Errorf("its own weight is not looked at: %v", err)
	}
}

// What is known of a canary holds while its target, steps and candidates are the same.
func TestCanaryID(t *testing.T) {
	id := func(change func(*Spec)) string {
		s := withCanary(10, 100)
		change(&s)
		return s.CanaryID()
	}
	was := id(func(*Spec) {})
	if len(was) != 16 || was != id(func(s *Spec) {
		s.Sticky = ""
		s.Candidates[0].Weight = 1
		s.Canary.Guard.Errors = 0.5
		s.Canary.Samples = 7
	}) {
		t.Error("another canary, though nothing that matters has changed")
	}
	if was == id(func(s *Spec) { s.Canary.Steps = []float64{20, 100} }) || was == id(func(s *Spec) { s.Canary.Version = "2" }) || was == id(func(s *Spec) { s.Candidates = weights(1, 1) }) {
		t.Error("the same canary, though it is another")
	}
	if id(func(s *Spec) { s.Canary = nil }) != "" {
		t.Error("no canary has an id")
	}
}

func TestCanaryInJSON(t *testing.T) {
	const text = `{"model":"m","version":3,"steps":[10,100],"every":"30s","samples":5,"guard":{"errors":0.1},"compare":0.25}`
	var c Canary
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	spec, compare, err := c.Complete()
	if err != nil || c.Target != (Target{"m", "3"}) || compare != 0.25 || spec.Samples != 5 || spec.Guard != (canary.Guard{Errors: 0.1, Slower: 1.5, Disagreement: 0.1}) || c.First() != 10 || c.Percent(7) != 100 {
		t.Errorf("%+v %+v %v", c, spec, err)
	}
	back, err := json.Marshal(c)
	var again Canary
	if err != nil || json.Unmarshal(back, &again) != nil || again.Every != c.Every || *again.Compare != 0.25 {
		t.Errorf("%s %v", back, err)
	}
	if (*Canary)(nil).First() != 0 {
		t.Error("none has a share")
	}
}
