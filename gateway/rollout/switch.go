package rollout

import (
	"context"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
)

// Plan is a switch that is wanted.
type Plan struct {
	Model string
	From  string // the version that serves now
	To    string
	// Config makes the warm-up calls; without it there are none.
	Config *modelconfig.Config
}

// Switch brings the traffic from one version to another and returns when that is done, or when all is as before. An old version that is still kept from the switch
// before is unloaded first. A failure is Invalid, Conflict (another switch is under way, another version serves, or a replica failed: replica_failed), Unavailable
// (no replica takes traffic), Timeout or Canceled (ctx ended before the flip), or Flipper's.
//
// If the flip fails and cannot be taken back either, both versions stay loaded, and the phase Flipping; Resume goes on from there.
func (r *Rollouts) Switch(ctx context.Context, p Plan) (Report, error) {
	if err := pair(p.Model, p.From, p.To); err != nil {
		return Report{}, err
	}
	t, err := r.begin(ctx, p.Model)
	if err != nil {
		return Report{}, err
	}
	defer t.done()
	err = t.start(p)
	return t.notes.report(t.state()), err
}

// start is a switch from its beginning.
func (t *turn) start(p Plan) error {
	s := t.state()
	switch {
	case s.Phase == Flipping:
		return conflict("an earlier switch of model %q could be flipped neither way; resume it first", p.Model)
	case s.Phase != "" && s.Serving() != p.From:
		return conflict("version %q of model %q serves, not %q", s.Serving(), p.Model, p.From)
	case s.Phase != "" && !s.settled():
		if err := t.drop(t.ctx); err != nil {
			return err
		}
	}
	if _, err := Samples(p.Config, p.Model, p.To, t.set.MaxBytes); err != nil {
		return err
	}
	return t.forward(p)
}

// forward loads, verifies, warms up and flips, or takes back.
func (t *turn) forward(p Plan) error {
	t.mu.Lock()
	t.m.config = p.Config
	t.m.state = State{Model: p.Model, From: p.From, To: p.To, Phase: Loading}
	t.tell(t.m.state)
	t.mu.Unlock()
	err := t.point(p.To, true)
	if err == nil || t.state().Phase == Flipping {
		return err
	}
	t.change(func(s *State) { s.Phase, s.Reason = TakingBack, public(err) })
	// The caller may have left; taking back has deadlines of its own. What of it fails now is done in the background.
	_ = t.drop(context.WithoutCancel(t.ctx))
	return err
}

// Rollback brings the traffic back to the version that was kept, which is loaded and warm: it returns as soon as that serves, and the other one is unloaded in the
// background. Where it fails, all stays as it was. The error is Conflict where nothing is kept, and otherwise as Switch's.
func (r *Rollouts) Rollback(ctx context.Context, model string) (Report, error) {
	t, err := r.begin(ctx, model)
	if err != nil {
		return Report{}, err
	}
	defer t.done()
	if s := t.state(); s.Phase != Kept && s.Phase != Unloading {
		return t.notes.report(s), conflict("model %q has no version that is kept for a rollback", model)
	}
	err = t.back()
	return t.notes.report(t.state()), err
}

// back points to the old version. Where that was being unloaded it is loaded again.
func (t *turn) back() error {
	t.change(func(s *State) {
		s.Phase = Kept
		if again := time.Now().Add(t.set.Again); s.Until.Before(again) {
			s.Until = again
		}
	})
	return t.point(t.state().From, false)
}

// Settle unloads the kept version now, when the calls that use it have ended. There is nothing to do for a model that is settled.
func (r *Rollouts) Settle(ctx context.Context, model string) (Report, error) {
	t, err := r.begin(ctx, model)
	if err != nil {
		return Report{}, err
	}
	defer t.done()
	switch s := t.state(); {
	case s.Phase == "":
		return Report{}, fault.New(fault.NotFound, "model_not_found", "model %q has not been switched", model)
	case s.Phase == Flipping:
		err = conflict("the switch of model %q could be flipped neither way; resume it first", model)
	case !s.settled():
		err = t.drop(t.ctx)
	}
	return t.notes.report(t.state()), err
}
