package rollout

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/internal/fault"
)

// stuck gives a pool whose flip has failed both ways, and the state that was written down, in JSON.
func stuck(t *testing.T, effect simFault) (*pool, *Rollouts, []byte) {
	t.Helper()
	p := newPool("1")
	p.decide = func(_, step, _ string) (simFault, time.Duration) {
		if step == "flip" {
			return effect, time.Millisecond
		}
		return works, time.Millisecond
	}
	r := p.rollouts(t, short())
	_, err := r.Switch(t.Context(), plan(t, "1", "2"))
	kind(t, err, fault.Unavailable, "flip_failed")
	s := must(t, r, Flipping, "")
	if p.versions(0) != "1+2" || s.Reason == "" {
		t.Fatalf("loaded: %s; %+v", p.versions(0), s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Switch(t.Context(), plan(t, "1", "3")); fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
	p.from(nil)
	return p, r, text
}

func TestResumeOfAFlipThatFailedBothWays(t *testing.T) {
	for _, effect := range []simFault{fails, failsAfter, hangs, hangsAfter} {
		for _, way := range []Way{Finish, TakeBack} {
			for _, anew := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					p, r, text := stuck(t, effect)
					if anew { // another process
						r.Close()
						r = p.rollouts(t, short())
					}
					var s State
					if err := json.Unmarshal(text, &s); err != nil {
						t.Fatal(err)
					}
					want, left := "2", Done
					if way == TakeBack {
						want, left = "1", TakenBack
					}
					if _, err := r.Resume(t.Context(), s, config(t, small), way); err != nil {
						t.Fatal(err)
					}
					p.expect(want)
					p.call(time.Millisecond)
					time.Sleep(3 * time.Second)
					must(t, r, left, want)
					p.verify(t)
					if p.versions(0)+p.versions(1)+p.versions(2) != want+want+want {
						t.Errorf("left: %s %s %s", p.versions(0), p.versions(1), p.versions(2))
					}
				})
			}
		}
	}
}

func TestResumeGoesOnFromEveryPhase(t *testing.T) {
	for _, phase := range []Phase{Loading, Flipping, Kept, Unloading, Done, TakingBack, TakenBack} {
		for _, way := range []Way{Finish, TakeBack} {
			synctest.Test(t, func(t *testing.T) {
				s := State{Model: "m", From: "1", To: "2", Phase: phase}
				p := newPool("1")
				want := "2"
				if s.Serving() == "1" || phase == Flipping {
					p.serving = "1"
				} else {
					p.serving = "2"
				}
				for i, rep := range p.replicas { // half done: everywhere what serves, and at one place all that may be
					rep.loaded = map[string]bool{p.serving: true}
					if i == 0 || len(s.needed()) == 2 {
						rep.loaded["1"], rep.loaded["2"] = true, true
					}
				}
				if way == TakeBack && phase != Done || phase == TakenBack {
					want = "1"
				}
				p.expect("")
				r := p.rollouts(t, short())
				stop := p.load(3)
				if _, err := r.Resume(t.Context(), s, config(t, small), way); err != nil {
					t.Fatalf("%s, way %d: %v", phase, way, err)
				}
				p.expect(want)
				time.Sleep(4 * time.Second)
				stop()
				now, _ := r.State("m")
				if now.Serving() != want || !now.settled() {
					t.Errorf("%s, way %d: %+v, want version %s", phase, way, now, want)
				}
				p.verify(t)
				if s.settled() { // taken over as it is
					return
				}
				if p.versions(0)+p.versions(1)+p.versions(2) != want+want+want {
					t.Errorf("%s, way %d: left %s %s %s", phase, way, p.versions(0), p.versions(1), p.versions(2))
				}
			})
		}
	}
}

func TestResumeRefusesAnotherState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPool("1").rollouts(t, short())
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		_, err := r.Resume(t.Context(), State{Model: "m", From: "1", To: "3", Phase: Kept}, nil, TakeBack)
		kind(t, err, fault.Conflict, "conflict")
		must(t, r, Kept, "2")
	})
}

// FuzzResume: no text that was written down makes it do more than refuse, or go on.
func FuzzResume(f *testing.F) {
	for _, text := range []string{`{"model":"m","from":"1","to":"2","phase":"kept","until":"2026-01-02T03:04:05Z"}`, `{"model":"m","to":"2","phase":"done"}`, `{"model":"m","to":"2","phase":"taken_back"}`,
		`{"model":"m","from":"1","to":"1","phase":"loading"}`, `{"model":"","from":"1","to":"2","phase":"done"}`, `{"phase":"x"}`, `{}`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s State
		if json.Unmarshal(text, &s) != nil || s.check() != nil {
			return
		}
		if s.Model == "" || s.Phase != Flipping && s.Serving() == "" || !s.settled() && s.From == s.To {
			t.Fatalf("%s is taken for a state", text)
		}
		for _, v := range append(s.wanted(), s.needed()...) {
			if v == "" {
				t.Fatalf("%s wants a version without a name", text)
			}
		}
	})
}
