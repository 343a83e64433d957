package book

import (
	"context"
	"errors"
	"strings"
	"testing"

	"triton-gateway/gateway/canary"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

func young(steps ...float64) route.Spec {
	s := split(100, 0)
	s.Canary = &route.Canary{Target: s.Candidates[1].Target, Spec: canary.Spec{Steps: steps}}
	return s
}

// to is an edit that sets the state.
func to(state string, step int, reason string) func(Canary, string) (Canary, error) {
	return func(now Canary, _ string) (Canary, error) {
		now.State, now.Step, now.Reason = state, step, reason
		return now, nil
	}
}

func move(t *testing.T, b *Book, name, state string, step int) Entry {
	t.Helper()
	e, err := b.Move(t.Context(), name, ByCanary, "canary", Any, to(state, step, "because"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// share is how many of a thousand users are with version 2.
func share(t *testing.T, b *Book, name string) int {
	t.Helper()
	return count(sides(t, b, name), "m@2")
}

func near(t *testing.T, what string, got, want int) {
	t.Helper()
	if got < want-40 || got > want+40 || want == 0 && got != 0 || want == 1000 && got != 1000 {
		t.Errorf("%s: %d of 1000 users, not %d", what, got, want)
	}
}

// A canary goes from step to step on all gateways, those who had it keep it, and it goes on where it was after a restart.
func TestCanaryMoves(t *testing.T) {
	for name, spec := range map[string]func() (Options, func(*Book) error){
		"stored": func() (Options, func(*Book) error) {
			return Options{}, func(b *Book) error {
				_, _, err := b.Put(t.Context(), "r", young(10, 50, 100), "ops", Absent)
				return err
			}
		},
		"of the settings": func() (Options, func(*Book) error) {
			return Options{Base: map[string]route.Spec{"r": young(10, 50, 100)}}, func(*Book) error { return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			o, put := spec()
			o.Records = store
			one, two := open(t, o), open(t, o)
			if err := put(one); err != nil {
				t.Fatal(err)
			}
			_ = two.Look(t.Context())
			near(t, "at the first step", share(t, two, "r"), 100)
			first := sides(t, two, "r")
			e := move(t, one, "r", Running, 1)
			if e.Canary.Step != 1 || e.By != ByCanary || e.Action != "canary" || e.Canary.Percent(&e.Plan.Spec) != 50 {
				t.Errorf("%+v %+v", e.Version, e.Canary)
			}
			_ = two.Look(t.Context())
			now := sides(t, two, "r")
			near(t, "at the second", count(now, "m@2"), 500)
			for user, side := range first {
				if side == "m@2" && now[user] != side {
					t.Fatalf("%s has been taken from the canary, which grows", user)
				}
			}
			three := open(t, o) // a restart
			if e, _ := three.Entry("r"); e.Canary.Step != 1 || e.Canary.State != Running {
				t.Errorf("%+v", e.Canary)
			}
			move(t, three, "r", Back, 1)
			_ = one.Look(t.Context())
			near(t, "after it went back", share(t, one, "r"), 0)
			if e, _ := open(t, o).Entry("r"); e.Canary.State != Back || e.Canary.Reason != "because" {
				t.Errorf("it begins again by itself: %+v", e.Canary)
			}
			move(t, one, "r", Done, 2)
			near(t, "promoted", share(t, one, "r"), 1000)
			if e, _ := one.Entry("r"); e.Plan.Spec.Candidates[0].Weight != 100 {
				t.Errorf("what is written has changed: %+v", e.Plan.Spec.Candidates)
			}
		})
	}
}

// Of two that decide at the same version, the first one's word holds.
func TestCanaryMovesOnce(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	if _, _, err := one.Put(t.Context(), "r", young(10, 50, 100), "ops", Absent); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Move(t.Context(), "r", ByCanary, "canary", 1, to(Running, 1, "")); err != nil {
		t.Fatal(err)
	}
	_, err := two.Move(t.Context(), "r", ByCanary, "canary", 1, to(Running, 2, ""))
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != "precondition_failed" {
		t.Errorf("%v", err)
	}
	if _, err = two.Move(t.Context(), "r", "", "x", Any, func(now Canary, by string) (Canary, error) {
		if now.Step != 1 || by != ByCanary {
			t.Errorf("%+v by %s", now, by)
		}
		return now, context.Canceled
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err = two.Move(t.Context(), "nothing", "", "x", Any, to(Back, 0, "")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if _, _, err := one.Put(t.Context(), "plain", split(1, 1), "", Any); err != nil {
		t.Fatal(err)
	}
	if _, err = one.Move(t.Context(), "plain", "", "x", Any, to(Back, 0, "")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// What goes back goes back here at once, while the store is away too, and stays so until it has been written.
func TestCanaryIsWithdrawn(t *testing.T) {
	store := newMemory()
	one, two := open(t, Options{Records: store}), open(t, Options{Records: store})
	spec := young(10, 50, 100)
	if _, _, err := one.Put(t.Context(), "r", spec, "ops", Absent); err != nil {
		t.Fatal(err)
	}
	_ = two.Look(t.Context())
	id := spec.CanaryID()
	store.set(func() { store.away = true })
	if one.Withdraw("r", "another", "errors", "x") || one.Withdraw("nothing", id, "", "") || !one.Withdraw("r", id, "errors", "too many") || one.Withdraw("r", id, "errors", "again") {
		t.Error("withdrawn what was not there, or not what was")
	}
	near(t, "withdrawn", share(t, one, "r"), 0)
	near(t, "on the other", share(t, two, "r"), 100)
	_ = one.Look(t.Context())
	if e, _ := one.Entry("r"); !e.Held || e.Canary.State != Back || e.Canary.Rule != "errors" || e.Number != 1 || !one.Away() {
		t.Errorf("%+v %+v", e, e.Canary)
	}
	store.set(func() { store.away = false })
	move(t, two, "r", Running, 1) // the other knows nothing of it
	_ = one.Look(t.Context())
	near(t, "withdrawn, whatever others write", share(t, one, "r"), 0)
	move(t, two, "r", Done, 2)
	_ = one.Look(t.Context())
	near(t, "when another's guard has let it pass", share(t, one, "r"), 0)
	e := move(t, one, "r", Back, 2)
	if e.Held || e.Canary.State != Back {
		t.Errorf("%+v", e)
	}
	move(t, two, "r", Running, 0)
	_ = one.Look(t.Context())
	near(t, "begun again", share(t, one, "r"), 100)
	if !one.Withdraw("r", id, "slower", "slow") {
		t.Fatal("not withdrawn")
	}
	if _, err := two.Move(t.Context(), "r", "ops", "promote", Any, to(Done, 2, "")); err != nil {
		t.Fatal(err)
	}
	_ = one.Look(t.Context())
	near(t, "an operator has promoted it", share(t, one, "r"), 1000)
	if one.Withdraw("r", id, "slower", "slow") {
		t.Error("withdrawn against an operator's word")
	}
}

// A route of the settings gives its canary nothing while nobody knows whether it went back.
func TestCanaryWaitsForTheStore(t *testing.T) {
	store := newMemory()
	o := Options{Base: map[string]route.Spec{"r": young(10, 100)}, Records: store}
	move(t, open(t, o), "r", Back, 0)
	store.set(func() { store.away = true })
	b := open(t, o)
	if e, _ := b.Entry("r"); e.Canary.State != Unknown || share(t, b, "r") != 0 {
		t.Errorf("%+v", e.Canary)
	}
	store.set(func() { store.away = false })
	_ = b.Look(t.Context())
	if e, _ := b.Entry("r"); e.Canary.State != Back || share(t, b, "r") != 0 {
		t.Errorf("%+v", e.Canary)
	}
	fresh := open(t, Options{Base: o.Base, Records: newMemory()})
	near(t, "an empty store", share(t, fresh, "r"), 100)
}

// Operators: a rollback ends it, a PUT of the same canary lets it go on, of another begins that, and of none ends it.
func TestCanaryAndOperators(t *testing.T) {
	b := open(t, Options{Records: newMemory(), Base: map[string]route.Spec{"base": young(10, 100)}})
	put := func(spec route.Spec) Entry {
		t.Helper()
		e, _, err := b.Put(t.Context(), "r", spec, "ops", Any)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	put(split(100))
	put(young(10, 50, 100))
	move(t, b, "r", Running, 1)
	if e := put(young(10, 50, 100)); e.Number != 3 || e.Canary.Step != 1 {
		t.Errorf("the same again: %+v %+v", e.Version, e.Canary)
	}
	spec := young(10, 50, 100)
	spec.Sticky, spec.Canary.Guard.Errors = "header:X", 0.2
	if e := put(spec); e.Number != 4 || e.Canary.Step != 1 || e.Plan.Spec.Sticky != "header:X" {
		t.Errorf("changed beside it: %+v %+v", e.Version, e.Canary)
	}
	e, err := b.Rollback(t.Context(), "r", "ops", 0, Any)
	if err != nil || e.Canary.State != Back || e.Canary.Reason != "rolled back by ops" || e.Number != 5 {
		t.Fatalf("%+v %v", e.Canary, err)
	}
	if got := count(sides(t, b, "r"), "m@2"); got != 0 {
		t.Errorf("%d users after a rollback", got)
	}
	if _, err = b.Rollback(t.Context(), "r", "ops", 0, Any); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "name the version") {
		t.Errorf("%v", err)
	}
	if e = put(young(10, 50, 100)); e.Canary.State != Back {
		t.Errorf("it begins again, though only the stickiness is another: %+v", e.Canary)
	}
	if e, err = b.Rollback(t.Context(), "r", "ops", 3, Any); err != nil || e.Canary.State != Paused || e.Canary.Step != 1 {
		t.Errorf("an earlier version: %+v %v", e.Canary, err)
	}
	if e = put(young(20, 100)); e.Canary.State != Running || e.Canary.Step != 0 {
		t.Errorf("another canary: %+v", e.Canary)
	}
	if e = put(split(60, 40)); e.Canary != nil {
		t.Errorf("no canary: %+v", e.Canary)
	}
	if e, err = b.Rollback(t.Context(), "base", "", 0, Any); err != nil || e.Canary.State != Back || e.Spec != nil || e.Canary.Reason != "rolled back by an operator" {
		t.Errorf("of the settings: %+v %v", e, err)
	}
	if err = b.Delete(t.Context(), "base", "", Any); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if e, err = b.Move(t.Context(), "base", "", "resume", Any, to(Running, 0, strings.Repeat("x", 500))); err != nil || len(e.Canary.Reason) != mostReason || e.Canary.State != Running {
		t.Errorf("%+v %v", e.Canary, err)
	}
	if e, err = b.Rollback(t.Context(), "base", "", 1, Any); err != nil || e.Canary.State != Back {
		t.Errorf("%+v %v", e.Canary, err)
	}
}

// While settings are rolled out, gateways with the old ones and with the new ones each know how far their own canary is.
func TestCanariesOfTwoSettings(t *testing.T) {
	store := newMemory()
	old := open(t, Options{Base: map[string]route.Spec{"r": young(10, 100)}, Records: store})
	next := open(t, Options{Base: map[string]route.Spec{"r": young(25, 50, 100)}, Records: store})
	move(t, old, "r", Back, 0)
	move(t, next, "r", Running, 1)
	_ = old.Look(t.Context())
	if e, _ := old.Entry("r"); e.Canary.State != Back {
		t.Errorf("%+v", e.Canary)
	}
	if e, _ := next.Entry("r"); e.Canary.State != Running || e.Canary.Step != 1 {
		t.Errorf("%+v", e.Canary)
	}
}
