package rollout

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
	"triton-gateway/modelconfig"
)

// rounds bound how often it is begun anew because replicas come back meanwhile.
const rounds = 4

// point makes the version ready on every replica that takes traffic, and has it serve. Unless anew is set, replicas that have it ready already are left as they are.
func (t *turn) point(version string, anew bool) error {
	prepared := map[string]bool{}
	for range rounds {
		list := t.deps.Pool.Taking()
		if len(list) == 0 {
			return fault.New(fault.Unavailable, "no_backend", "no replica takes traffic; switch model %q when there are some", t.model)
		}
		err := t.everywhere(t.ctx, list, "version "+version+" cannot be made ready everywhere", true, func(ctx context.Context, rep Replica) error {
			if prepared[rep.Name()] || !anew && t.ready(ctx, rep, version) == nil {
				return nil
			}
			return t.prepare(ctx, rep, version)
		})
		if err != nil {
			return err
		}
		for _, rep := range list {
			prepared[rep.Name()] = true
		}
		if done, err := t.flip(version, prepared); done || err != nil {
			return err
		}
	}
	return fault.New(fault.Unavailable, "replicas_unsteady", "replicas come and go faster than version %q of model %q can be made ready; try again when they are steady", version, t.model)
}

// prepare loads the version beside those that are wanted, waits until it is ready, and warms it up.
func (t *turn) prepare(ctx context.Context, rep Replica, version string) error {
	s := t.state()
	err := t.notes.step(rep, "load", func() error {
		return within(ctx, t.set.Load, func(ctx context.Context) error { return rep.Serve(ctx, t.model, s.wanted()) })
	})
	if err == nil {
		err = t.notes.step(rep, "ready", func() error { return t.await(ctx, rep, t.model, version) })
	}
	if err == nil {
		err = t.notes.step(rep, "warm_up", func() error { return t.warm(ctx, rep, t.model, version) })
	}
	return err
}

// ready asks once.
func (t *turn) ready(ctx context.Context, rep Replica, version string) error {
	return t.notes.step(rep, "verify", func() error {
		return within(ctx, t.set.Ready, func(ctx context.Context) error { return rep.Ready(ctx, t.model, version) })
	})
}

// await asks until the version is ready.
func (r *Rollouts) await(ctx context.Context, rep Replica, model, version string) error {
	return within(ctx, r.set.Ready, func(ctx context.Context) error {
		for {
			err := rep.Ready(ctx, model, version)
			if err == nil {
				return nil
			}
			if !pause.For(ctx, r.set.Poll) {
				return err
			}
		}
	})
}

// warm makes the calls of Samples.
func (r *Rollouts) warm(ctx context.Context, rep Replica, model, version string) error {
	r.mu.Lock()
	config := r.models[model].config
	r.mu.Unlock()
	return within(ctx, r.set.Warm, func(ctx context.Context) error { return r.set.WarmUp(ctx, rep, config, model, version) })
}

// WarmUp makes the calls of Samples on one server, each Runs times: some backends compile on the second. It ends with ctx; Warm does not bound it. The error is that of Samples, or of the
// first call that fails.
func (s Settings) WarmUp(ctx context.Context, rep Replica, c *modelconfig.Config, model, version string) error {
	s = s.complete()
	list, err := Samples(c, model, version, s.MaxBytes)
	if err != nil {
		return err
	}
	for range s.Runs {
		for _, sample := range list {
			call := *sample // of which all replicas share the bytes
			if err := rep.Infer(ctx, &call); err != nil {
				return err
			}
		}
	}
	return nil
}

// flip has the version serve, if all that take traffic have it ready; false where one of them, now taken out of prepared, has not. While it looks and flips, no
// replica is let in.
func (t *turn) flip(version string, prepared map[string]bool) (bool, error) {
	leave, err := t.pass(t.ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	list := t.deps.Pool.Taking()
	known := list[:0:0]
	for _, rep := range list {
		if prepared[rep.Name()] {
			known = append(known, rep)
		}
	}
	failed := make(chan string, len(known))
	_ = t.everywhere(t.ctx, known, "", false, func(ctx context.Context, rep Replica) error {
		err := t.ready(ctx, rep, version)
		if err != nil {
			failed <- rep.Name()
		}
		return err
	})
	close(failed)
	behind := len(known) < len(list) || len(list) == 0
	for name := range failed {
		delete(prepared, name)
		behind = true
	}
	if t.ctx.Err() != nil {
		return false, fault.Ended(t.ctx.Err(), "before the flip")
	}
	if behind {
		return false, nil
	}
	return t.turnOver(version)
}

// turnOver flips, and flips back if that fails. The caller's leaving does not end it half way.
func (t *turn) turnOver(version string) (bool, error) {
	s := t.change(func(s *State) { s.Phase = Flipping })
	other, after, failed := s.From, Kept, TakingBack
	if version == s.From {
		other, after, failed = s.To, TakingBack, Kept
	}
	settle := func(phase Phase) {
		t.change(func(s *State) {
			if s.Phase, s.Reason = phase, ""; phase == TakingBack {
				s.Until = time.Time{}
			} else if s.Until.IsZero() {
				s.Until = time.Now().Add(t.set.Keep)
			}
		})
	}
	flip := func(version string) error {
		return within(context.WithoutCancel(t.ctx), t.set.Flip, func(ctx context.Context) error { return t.deps.Flipper.Flip(ctx, t.model, version) })
	}
	err := flip(version)
	if err == nil {
		settle(after)
		return true, nil
	}
	err = fault.New(fault.Unavailable, "flip_failed", "the traffic of model %q could not be pointed to version %q", t.model, version).Wrap(err)
	if flip(other) == nil {
		settle(failed)
		return false, err
	}
	t.change(func(s *State) {
		s.Reason = "the traffic could be pointed neither to version " + version + " nor back to " + other
	})
	return false, err
}

// within gives work a deadline.
func within(ctx context.Context, d time.Duration, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return work(ctx)
}
