package gateway

import (
	"context"
	"time"

	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// What operators do with a model's version.
const (
	actSwitch     = "model.switch"
	actSwitchBack = "model.rollback"
	actSettle     = "model.settle"
	actUnpin      = "model.unpin"
)

// endedWell is what the log says of a call that did what it was to do.
var endedWell = map[string]string{
	actSwitch: "a model's version was switched", actSwitchBack: "a model's switch was rolled back", actSettle: "a model's earlier version is unloaded",
	actGoOn: "a model's switch was taken up again",
}

// begun is a call that goes on though whoever made it leaves.
type begun struct {
	done   chan struct{}
	report rollout.Report
	err    error
}

// begin checks and claims a model, and then has do work in the background. by is who asks.
func (s *switches) begin(ctx context.Context, model, by, action string, do func(ctx context.Context, r switchRecord) (rollout.Report, error)) (*begun, error) {
	s.mu.Lock()
	if s.busy[model] {
		s.mu.Unlock()
		return nil, fault.New(fault.Conflict, "conflict", "model %q is being switched; GET /v1/models/%s/switch says how far that is", model, model)
	}
	s.busy[model] = true
	s.mu.Unlock()
	free := func() {
		s.mu.Lock()
		delete(s.busy, model)
		s.mu.Unlock()
	}
	record, err := s.claim(ctx, model, by)
	if err != nil {
		free()
		return nil, err
	}
	b := &begun{done: make(chan struct{})}
	s.work.Go(func() {
		defer close(b.done)
		defer free()
		began := time.Now()
		if b.err = s.takeOver(s.life, record); b.err == nil {
			b.report, b.err = do(s.life, record)
		}
		s.ended(b, model, by, action, time.Since(began))
	})
	return b, nil
}

// ended writes down, counts and logs how a call has gone, and leaves the other gateways time to follow.
func (s *switches) ended(b *begun, model, by, action string, took time.Duration) {
	flush, cancel := context.WithTimeout(context.WithoutCancel(s.life), storeWithin)
	defer cancel()
	s.flush(flush)
	s.mu.Lock()
	s.reports[model] = b.report
	s.mu.Unlock()
	if r := s.seen()[model]; r.failed() {
		s.release(flush, model)
	}
	refused := faultOf(b.err).Code == "conflict" // nothing was begun: nothing is kept, or another call is under way
	if !refused {
		s.counts.ended(model, action, b.report, b.err)
	}
	state := b.report.State
	line := s.log.With("model", model, "from", state.From, "to", state.To, "phase", state.Phase, "by", by, "took_ms", took.Milliseconds())
	if b.err != nil && action == actGoOn {
		s.giveUp(model)
	}
	if refused {
		line.Info("a switch was refused", "action", action, "error", b.err)
		return
	}
	if b.err != nil {
		line.Error("a model's switch has failed", "action", action, "error", b.err)
		return
	}
	line.Info(endedWell[action], "action", action, "serving", state.Serving())
	if s.kept == keptInRedis {
		pause.For(s.life, 2*lookEvery) // the other gateways follow
	}
}

// giveUp lets another gateway, or this one after a pause, go on with what has failed.
func (s *switches) giveUp(model string) {
	pause.For(s.life, followWithin)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.life), storeWithin)
	defer cancel()
	_, _ = s.store.change(ctx, model, func(r *switchRecord) error {
		if r.Owner == s.self {
			r.Owner = ""
		}
		return nil
	})
}

// claim makes this gateway the one that works on a model.
func (s *switches) claim(ctx context.Context, model, by string) (switchRecord, error) {
	m, err := s.catalog.Lookup(model)
	if err != nil {
		return switchRecord{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	record, err := s.store.change(ctx, model, func(r *switchRecord) error {
		now := time.Now()
		if r.Owner != s.self && r.alive(now) && (r.State.Phase == rollout.Loading || r.State.Phase == rollout.Flipping) {
			return fault.New(fault.Conflict, "conflict", "another gateway is switching model %q; GET /v1/models/%s/switch says how far that is", model, model)
		}
		r.taken = r.Owner != s.self && r.alive(now)
		if r.Pin == "" {
			v, err := m.Resolve("")
			if err != nil {
				return err
			}
			r.Pin, r.Free = v.Number, true
		}
		r.Owner, r.Beat, r.By, r.At = s.self, now, by, now
		return nil
	})
	if err != nil {
		return record, err
	}
	s.note(model, record)
	s.catalog.Pin(model, record.Pin) // before a higher version is loaded beside it, which the policy would choose
	return record, nil
}

// takeOver goes on with a switch that another gateway has left open, or an earlier run of this one.
func (s *switches) takeOver(ctx context.Context, r switchRecord) error {
	if r.State.Phase == "" {
		return nil
	}
	here, known := s.rollouts.State(r.State.Model)
	if known && !here.Settled() && here.Phase != rollout.Flipping {
		return nil // it is this gateway's
	}
	if r.State.Settled() {
		s.rollouts.Adopt(r.State, s.configOf(r.State.Model))
		return nil
	}
	s.rollouts.Forget(r.State.Model)
	if r.taken {
		pause.For(ctx, followWithin) // until the gateway that worked on it has seen that it does not any more
	}
	_, err := s.rollouts.Resume(ctx, r.State, s.configOf(r.State.Model), wayOf(&r))
	return err
}

func (s *switches) switchTo(ctx context.Context, model, to, by string) (*begun, error) {
	m, err := s.catalog.Lookup(model)
	if err != nil {
		return nil, err
	}
	if now := m.Serving(); now == to {
		return nil, fault.New(fault.Invalid, "invalid_request", "version %s of model %q serves already", to, model).At("body.to", "it serves already")
	}
	if s.client == nil {
		if err := s.engine.Ready(ctx, model, to); err != nil {
			return nil, err
		}
	}
	return s.begin(ctx, model, by, actSwitch, func(ctx context.Context, r switchRecord) (rollout.Report, error) {
		return s.rollouts.Switch(ctx, rollout.Plan{Model: model, From: r.Pin, To: to, Config: s.configOf(model)})
	})
}

func (s *switches) rollback(ctx context.Context, model, by string) (*begun, error) {
	if err := s.switched(model); err != nil {
		return nil, err
	}
	return s.begin(ctx, model, by, actSwitchBack, func(ctx context.Context, _ switchRecord) (rollout.Report, error) {
		return s.rollouts.Rollback(ctx, model)
	})
}

func (s *switches) settle(ctx context.Context, model, by string) (*begun, error) {
	if err := s.switched(model); err != nil {
		return nil, err
	}
	return s.begin(ctx, model, by, actSettle, func(ctx context.Context, _ switchRecord) (rollout.Report, error) {
		return s.rollouts.Settle(ctx, model)
	})
}

// switched refuses a model that was never switched, or is not there.
func (s *switches) switched(model string) error {
	if _, found := s.seen()[model]; found {
		return nil
	}
	if !s.catalog.Has(model) {
		_, err := s.catalog.Lookup(model)
		return err
	}
	return fault.New(fault.Conflict, "conflict", "model %q has not been switched; POST /v1/models/%s/switch does", model, model)
}

// unpin leaves a model to the backend's policy again.
func (s *switches) unpin(ctx context.Context, model string) error {
	if err := s.switched(model); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	r, err := s.store.change(ctx, model, func(r *switchRecord) error {
		if r.open() {
			return fault.New(fault.Conflict, "conflict", "a version of model %q is still kept or being loaded; POST /v1/models/%s/switch/settle first", model, model)
		}
		*r = switchRecord{}
		return nil
	})
	if err != nil {
		return err
	}
	if !s.rollouts.Forget(model) {
		return fault.New(fault.Conflict, "conflict", "model %q is being switched", model)
	}
	s.note(model, r)
	_ = s.catalog.Refresh(ctx) // or what was unloaded a moment ago would serve once more, until the next look
	s.catalog.Pin(model, "")
	s.counts.forget(model)
	return nil
}

// release is unpin for a model whose first switch has failed. What hinders it now does not at a later look.
func (s *switches) release(ctx context.Context, model string) {
	if err := s.unpin(ctx, model); err != nil {
		s.log.Warn("a model whose switch has failed is still held to the version before", "model", model, "error", err)
	}
}
