package rollout

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// drop unloads the version that does not serve, when the last call that uses it has ended. It has deadlines of its own beside ctx's.
func (t *turn) drop(ctx context.Context) error {
	s := t.state()
	if err := t.drain(ctx, s.gone()); err != nil {
		return err
	}
	leave, err := t.pass(ctx)
	if err != nil {
		return err
	}
	// Under the gate, so that whoever is let in later sees that the version is not wanted any more, and all others are in the list.
	s = t.change(func(s *State) {
		if s.Phase == Kept {
			s.Phase, s.Until = Unloading, time.Time{}
		}
	})
	list := t.deps.Pool.Taking()
	leave()
	err = t.everywhere(ctx, list, "version "+s.gone()+" cannot be unloaded everywhere", false, func(ctx context.Context, rep Replica) error {
		return t.notes.step(rep, "unload", func() error {
			return within(ctx, t.set.Unload, func(ctx context.Context) error { return rep.Serve(ctx, t.model, s.wanted()) })
		})
	})
	if err != nil {
		return err
	}
	t.change(func(s *State) {
		if s.Phase == Unloading {
			s.Phase, s.Reason = Done, ""
		} else {
			s.Phase = TakenBack
		}
	})
	return nil
}

// drain waits for the calls that use a version.
func (t *turn) drain(ctx context.Context, version string) error {
	return within(ctx, t.set.Drain, func(ctx context.Context) error {
		for {
			n := t.deps.Calls.Running(t.model, version)
			if n == 0 {
				return nil
			}
			if !pause.For(ctx, t.set.Poll) {
				f := fault.Ended(ctx.Err(), "while calls still used the version that is to be unloaded")
				return f.At("version "+version, "it is unloaded when they have ended")
			}
		}
	})
}

// tidy unloads what is not wanted any more in the background, at its time, and until it succeeds or makes way.
func (t *turn) tidy() {
	s := t.state()
	rest := time.Duration(0)
	if s.Phase == Kept {
		rest = time.Until(s.Until)
	}
	for pause.For(t.ctx, rest) {
		t.notes = &notes{} // nobody reads them
		err := t.drop(t.ctx)
		if err == nil || t.ctx.Err() != nil {
			return
		}
		t.change(func(s *State) { s.Reason = public(err) })
		rest = t.set.Again
	}
}
