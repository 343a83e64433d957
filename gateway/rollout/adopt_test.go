package rollout

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		if r.Adopt(State{Model: "m", From: "1", To: "2", Phase: Kept}, nil) || r.Adopt(State{Phase: Done}, nil) || r.Adopt(State{Model: "m", To: "2", Phase: "odd"}, nil) {
			t.Error("a state that is not settled, or none, is taken over")
		}
		if !r.Adopt(State{Model: "m", To: "1", Phase: Done}, config(t, small)) {
			t.Fatal("not taken over")
		}
		// It is what a replica is brought to that comes back.
		s := p.restart(0, "9")
		if err := r.CatchUp(t.Context(), s, s.admit(s.life)); err != nil || p.versions(0) != "1" || s.warmed["1"] != 8 {
			t.Errorf("%v, loaded %s, warmed %v", err, p.versions(0), s.warmed)
		}
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		if r.Adopt(State{Model: "m", To: "1", Phase: Done}, nil) {
			t.Error("a switch that is kept is overwritten")
		}
		if _, err := r.Settle(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		if !r.Adopt(State{Model: "m", From: "2", To: "3", Phase: TakenBack}, nil) {
			t.Error("a later one is not taken over")
		}
		p.verify(t)
	})
}

func TestForgetLeavesAllAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		r := p.rollouts(t, short())
		if !r.Forget("m") {
			t.Error("what is not known cannot be forgotten")
		}
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		if !r.Forget("m") {
			t.Fatal("not forgotten")
		}
		if _, known := r.State("m"); known {
			t.Error("it is known")
		}
		time.Sleep(10 * short().Keep)
		if got := p.versions(0); got != "1+2" {
			t.Errorf("loaded %s: somebody has unloaded what another process keeps", got)
		}
		p.verify(t)
	})
}

// Changed is told of every state, in order.
func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("1")
		var told []Phase
		r := New(Deps{Pool: p, Flipper: p, Calls: p, Changed: func(s State) {
			if len(told) == 0 || told[len(told)-1] != s.Phase {
				told = append(told, s.Phase)
			}
		}}, short())
		if _, err := r.Switch(t.Context(), plan(t, "1", "2")); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Settle(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if want := []Phase{Loading, Flipping, Kept, Unloading, Done}; !slices.Equal(told, want) {
			t.Errorf("%v", told)
		}
		if s := (State{Model: "m", From: "1", To: "2", Phase: Kept}); s.Settled() || !slices.Equal(s.Wanted(), []string{"1", "2"}) {
			t.Errorf("%v", s.Wanted())
		}
	})
}
