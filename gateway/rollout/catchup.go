package rollout

import (
	"context"
	"slices"

	"triton-gateway/internal/fault"
)

// CatchUp brings a replica that has come back to the state of the others: of every model that has been switched, or resumed, it loads and warms up the version that
// serves, and the one that is kept or comes next, if it can. Then it calls admit, which lets the replica take traffic, at a moment in which no
// flip can be under way; admit does not block. A replica that fails stays out; call again later. One that takes traffic already is left alone. ctx bounds it all, beside the
// deadlines of the steps.
func (r *Rollouts) CatchUp(ctx context.Context, rep Replica, admit func()) error {
	// Two at a time could undo each other's loads after the first has let the replica in.
	if _, under := r.catching.LoadOrStore(rep.Name(), true); under {
		return conflict("replica %q is being brought up to date already", rep.Name())
	}
	defer r.catching.Delete(rep.Name())
	if slices.ContainsFunc(r.deps.Pool.Taking(), func(other Replica) bool { return other.Name() == rep.Name() }) {
		return nil
	}
	for range rounds {
		got := map[string][]string{}
		for _, m := range r.known() {
			versions, err := r.bring(ctx, rep, m.state)
			if err != nil {
				return fault.New(fault.Conflict, "replica_failed", "model %q cannot be made ready on replica %q: %s; it takes no traffic", m.state.Model, rep.Name(), public(err)).Wrap(err)
			}
			got[m.state.Model] = versions
		}
		if done, err := r.admit(ctx, rep, got, admit); done || err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "replicas_unsteady", "models are switched faster than replica %q can follow; call again", rep.Name())
}

// bring loads what a model's state wants, or where that fails what it needs, and says which versions that are.
func (r *Rollouts) bring(ctx context.Context, rep Replica, s State) ([]string, error) {
	err := r.has(ctx, rep, s.Model, s.wanted())
	if err == nil || len(s.wanted()) == len(s.needed()) || ctx.Err() != nil {
		return s.wanted(), err
	}
	return s.needed(), r.has(ctx, rep, s.Model, s.needed())
}

func (r *Rollouts) has(ctx context.Context, rep Replica, model string, versions []string) error {
	err := within(ctx, r.set.Load, func(ctx context.Context) error { return rep.Serve(ctx, model, versions) })
	for _, v := range versions {
		if err == nil {
			err = r.await(ctx, rep, model, v)
		}
		if err == nil {
			err = r.warm(ctx, rep, model, v)
		}
	}
	return err
}

// admit lets a replica in if what it got is still what it needs, all of it ready, and nothing that is not wanted.
func (r *Rollouts) admit(ctx context.Context, rep Replica, got map[string][]string, admit func()) (bool, error) {
	leave, err := r.pass(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	for _, m := range r.known() {
		s := m.state
		for _, v := range s.needed() {
			if !slices.Contains(got[s.Model], v) {
				return false, nil
			}
			if within(ctx, r.set.Ready, func(ctx context.Context) error { return rep.Ready(ctx, s.Model, v) }) != nil {
				return false, nil
			}
		}
		for _, v := range got[s.Model] {
			if !slices.Contains(s.wanted(), v) {
				return false, nil
			}
		}
	}
	admit()
	return true, nil
}
