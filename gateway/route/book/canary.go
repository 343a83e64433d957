package book

import (
	"context"
	"maps"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

// States of a canary.
const (
	Running = "running" // at a step; it goes on by itself
	Paused  = "paused"  // at a step, and stays there; the guard still watches
	Back    = "back"    // it has nothing, and does not begin again by itself
	Done    = "done"    // it has everything
	Unknown = "unknown" // the store has not answered yet, and may know that it went back: it has nothing until then
)

// ByCanary is by whom a canary's own moves are.
const ByCanary = "canary"

// mostReason bounds the text of a reason in bytes.
const mostReason = 300

// Canary is how far a route's canary is.
type Canary struct {
	ID     string `json:"id"` // see route.Spec.CanaryID
	State  string `json:"state"`
	Step   int    `json:"step"`             // by index, the last one that it has reached
	Rule   string `json:"rule,omitempty"`   // that sent it back
	Reason string `json:"reason,omitempty"` // of the last move
}

// Percent is what it has of the requests that weights decide.
func (c *Canary) Percent(spec *route.Spec) float64 {
	switch {
	case c == nil || c.State == Back || c.State == Unknown:
		return 0
	case c.State == Done:
		return 100
	}
	return spec.Canary.Percent(c.Step)
}

// Moves reports whether a guard watches it.
func (c *Canary) Moves() bool { return c != nil && (c.State == Running || c.State == Paused) }

// Guarded reports whether the guard may take back what it has: by is by whom that is. What an operator has promoted is not the guard's any more.
func (c *Canary) Guarded(by string) bool {
	return c.Moves() || c != nil && c.State == Done && by == ByCanary
}

// stateOf is how far the canary of a spec is by what is stored; nil where the spec has none. A route of the settings may be another one on another gateway while settings are rolled out, so the newest version that is about
// this canary counts.
func stateOf(spec *route.Spec, rec record) *Canary {
	id := spec.CanaryID()
	if id == "" {
		return nil
	}
	for _, v := range rec.Versions {
		if v.Canary != nil && v.Canary.ID == id {
			c := *v.Canary
			return &c
		}
	}
	return &Canary{ID: id, State: Running}
}

// Move writes the state of a route's canary that edit makes of the present one, of which it also hears by whom the version in force is. Errors are those of edit and of Put; NotFound
// route_not_found, and not_found where the route has no canary.
func (b *Book) Move(ctx context.Context, name, by, action string, expect int, edit func(now Canary, by string) (Canary, error)) (Entry, error) {
	return b.change(ctx, name, by, expect, func(rec record, before *route.Plan) (*Version, error) {
		if before == nil {
			return nil, Missing(name)
		}
		now := stateOf(&before.Spec, rec)
		if now == nil {
			return nil, NoCanary(name)
		}
		last := ""
		if len(rec.Versions) > 0 {
			last = rec.Versions[0].By
		}
		next, err := edit(*now, last)
		if err != nil {
			return nil, err
		}
		return moved(name, rec, before, next, action)
	})
}

// NoCanary is the fault of a route without one.
func NoCanary(name string) *fault.Error {
	return fault.New(fault.NotFound, "not_found", "the route %q has no canary; write one into its spec", clip(name))
}

// moved is the version after which the same spec is in force, with its canary in another state.
func moved(name string, rec record, before *route.Plan, next Canary, action string) (*Version, error) {
	next.ID = before.Spec.CanaryID()
	if len(next.Reason) > mostReason {
		next.Reason = next.Reason[:mostReason]
	}
	plan, err := route.CompileAt(name, before.Spec, before, next.Percent(&before.Spec))
	if err != nil {
		return nil, invalid(err)
	}
	v := &Version{Action: action, Shares: plan.Shares, Canary: &next}
	if len(rec.Versions) > 0 {
		v.Spec = rec.Versions[0].Spec // nil for a route of the settings
	}
	return v, nil
}

// ended is the version after a rollback that names no version, of a route with a canary: the canary has nothing any more.
func ended(name, by string, rec record, before *route.Plan, now Canary) (*Version, error) {
	if now.State == Back {
		return nil, fault.New(fault.Conflict, "conflict", "the canary of the route %q went back already; name the version to go back to", clip(name))
	}
	now.State, now.Rule, now.Reason = Back, "", "rolled back by an operator"
	if by != "" {
		now.Reason = "rolled back by " + clip(by)
	}
	return moved(name, rec, before, now, "rollback")
}

// asItWas is a canary's state in an earlier version, in which nothing moves up by itself.
func asItWas(spec *route.Spec, old *Canary) *Canary {
	id := spec.CanaryID()
	if id == "" {
		return nil
	}
	c := Canary{ID: id, State: Paused}
	if old != nil && old.ID == id {
		c = *old
	}
	if c.State == Running {
		c.State, c.Reason = Paused, "a rollback has brought it here"
	}
	return &c
}

// Withdraw takes everything from a route's canary at once, on this gateway alone and whether or not the store answers, until somebody has written how it goes on. It reports whether a
// canary with that id was there to withdraw.
func (b *Book) Withdraw(name, id, rule, reason string) bool {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	entries := *b.now.Load()
	e, ok := entries[name]
	if !ok || !withdrawn(e, id) {
		return false
	}
	b.held[name] = Canary{ID: id, State: Back, Step: e.Canary.Step, Rule: rule, Reason: reason}
	next := maps.Clone(entries)
	next[name] = b.hold(name, e)
	b.now.Store(&next)
	b.serial.Add(1)
	return true
}

// withdrawn reports whether an entry is of a canary that Withdraw is for: one that has something, and not by an operator's word.
func withdrawn(e Entry, id string) bool {
	return e.Canary != nil && !e.Held && e.Canary.ID == id && e.Canary.Guarded(e.By)
}

// hold is an entry as Withdraw leaves it. publishing is held.
func (b *Book) hold(name string, e Entry) Entry {
	back, ok := b.held[name]
	if !ok || e.Held {
		return e
	}
	if !withdrawn(e, back.ID) {
		delete(b.held, name)
		return e
	}
	plan, err := route.CompileAt(name, e.Plan.Spec, e.Plan, 0)
	if err != nil {
		return e // which was compiled before
	}
	e.Plan, e.Canary, e.Held = plan, &back, true
	return e
}
