package rollout

import (
	"context"

	"triton-gateway/modelconfig"
)

// Way is where Resume goes.
type Way uint8

// The ways.
const (
	Finish   Way = iota // the version that the switch goes to serves
	TakeBack            // the version that the switch comes from serves
)

// Resume goes on with a switch that an earlier process left half done, from the State that it had written down, or with one of this process that is Flipping.
// Every step is done again where it may have been done. A settled state, and one whose version kept is only to be unloaded, are taken over as they are, so that
// CatchUp knows which version serves; State{Model, To, Phase: Done} does that for a model that was never switched. The error is as Switch's.
func (r *Rollouts) Resume(ctx context.Context, s State, c *modelconfig.Config, way Way) (Report, error) {
	if err := s.check(); err != nil {
		return Report{}, err
	}
	t, err := r.begin(ctx, s.Model)
	if err != nil {
		return Report{}, err
	}
	defer t.done()
	now := t.state()
	if now.Phase != "" && (now.Phase != s.Phase || now.From != s.From || now.To != s.To) {
		return t.notes.report(now), conflict("model %q is %s from version %q to %q here, and not as in that state", s.Model, now.Phase, now.From, now.To)
	}
	if _, err := Samples(c, s.Model, s.To, t.set.MaxBytes); err != nil {
		return t.notes.report(now), err
	}
	t.mu.Lock()
	t.m.state, t.m.config = s, c
	t.mu.Unlock()
	switch {
	case s.settled(), way == Finish && (s.Phase == Kept || s.Phase == Unloading), way == TakeBack && s.Phase == TakingBack:
		// done leaves what is to be unloaded to the background
	case way == Finish && s.Phase == Flipping:
		err = t.point(s.To, true)
	case way == Finish:
		err = t.forward(Plan{Model: s.Model, From: s.From, To: s.To, Config: c})
	case s.Phase == Loading:
		t.change(func(s *State) { s.Phase, s.Reason = TakingBack, "taken back by request" })
		err = t.drop(t.ctx)
	case s.Phase == Flipping:
		err = t.point(s.From, true)
	default:
		err = t.back()
	}
	return t.notes.report(t.state()), err
}
