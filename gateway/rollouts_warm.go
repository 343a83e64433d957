package gateway

import (
	"context"
	"strconv"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

// guard holds servers that lack a version that serves, and brings those up to date that take calls only because nobody else does.
func (s *switches) guard() {
	if s.client == nil {
		return
	}
	records := s.seen()
	for _, r := range s.client.Replicas() {
		if r.OutOfService() {
			continue
		}
		for model, record := range records {
			if !r.Held() && r.Lacks(model, record.Pin) {
				r.Hold("it does not have version " + record.Pin + " of " + model + " ready, which serves")
			}
		}
		if r.Held() && !r.OutOfService() && s.warm.admitting.begin(r.Name()) {
			s.work.Go(func() {
				defer s.warm.admitting.end(r.Name())
				if err := s.returned(s.life, r, r.LetIn); err != nil && s.life.Err() == nil {
					s.log.Warn("a model server that takes calls for want of another is not up to date", "endpoint", r.Name(), "error", err)
					pause.For(s.life, time.Second)
				}
			})
		}
	}
}

// returned brings a server up to date that comes back: what other gateways switch has to be there, what this one does is loaded, and all is warmed up.
func (s *switches) returned(ctx context.Context, r *triton.Replica, admit func()) error {
	if !s.warm.returning.begin(r.Name()) {
		return fault.New(fault.Conflict, "conflict", "it is being brought up to date already")
	}
	defer s.warm.returning.end(r.Name())
	if err := s.warmAll(ctx, r); err != nil && s.config.Required {
		return err
	}
	for model, record := range s.seen() {
		if _, known := s.rollouts.State(model); known {
			continue
		}
		if err := r.Ready(ctx, model, record.Pin); err != nil {
			return err
		}
	}
	return s.rollouts.CatchUp(ctx, r, admit)
}

// warmAll warms up all that a server has ready and CatchUp does not see to. It notes its loads, so that they are not taken for new ones.
func (s *switches) warmAll(ctx context.Context, r *triton.Replica) error {
	loads := tokens(r)
	s.warm.look(r.Name(), loads)
	if s.config.WarmUp == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.WarmUp)
	defer cancel()
	var failed error
	for l := range loads {
		if _, known := s.rollouts.State(l.model); known {
			continue
		}
		if err := s.warmOne(ctx, r, l.model, l.version); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// tokens name the loads of a server: another one of the same version has another token.
func tokens(r *triton.Replica) map[loaded]string {
	loads := map[loaded]string{}
	for _, l := range r.Loads() {
		loads[loaded{r.Name(), l.Model, l.Version}] = strconv.FormatUint(l.Times, 10)
	}
	return loads
}

// warmReloaded warms up what was loaded anew behind the gateway's back, beside the calls that go there already.
func (s *switches) warmReloaded() {
	if s.config.WarmUp == 0 {
		return
	}
	if s.client == nil {
		loads := map[loaded]string{}
		for _, m := range s.catalog.Models() {
			for _, v := range m.Versions {
				if v.State == backend.Ready {
					loads[loaded{s.engine.Name(), m.Name, v.Number}] = v.Epoch
				}
			}
		}
		s.compare(s.engine, loads)
		return
	}
	for _, r := range s.client.Replicas() {
		if loads := tokens(r); len(loads) > 0 && !r.OutOfService() && !r.Held() {
			s.compare(r, loads)
		}
	}
}

// compare warms up the loads that were not there at the last look. Of what is there at the first look nobody knows that it is new.
func (s *switches) compare(r rollout.Replica, loads map[loaded]string) {
	before, known := s.warm.look(r.Name(), loads)
	if !known {
		return
	}
	for l, token := range loads {
		if was, had := before[l]; had && was == token || s.switching(l.model) || !s.warm.warming.begin(l) {
			continue
		}
		s.work.Go(func() {
			defer s.warm.warming.end(l)
			ctx, cancel := context.WithTimeout(s.life, s.config.WarmUp)
			defer cancel()
			_ = s.warmOne(ctx, r, l.model, l.version) // it is logged
		})
	}
}

// switching reports whether this gateway switches the model now, which warms up what it loads.
func (s *switches) switching(model string) bool {
	state, known := s.rollouts.State(model)
	return known && !state.Settled()
}

// warmOne makes the warm-up calls of a version.
func (s *switches) warmOne(ctx context.Context, r rollout.Replica, model, version string) error {
	m, err := s.catalog.Lookup(model)
	if err != nil || m.Source == catalog.FromGraph {
		return nil // the catalog does not serve it
	}
	began := time.Now()
	err = s.config.settings().WarmUp(ctx, r, m.Config, model, version)
	s.counts.warmed(err)
	if err != nil {
		if s.life.Err() == nil {
			s.log.Warn("a warm-up call has failed", "endpoint", r.Name(), "model", model, "version", version, "error", err)
		}
		return err
	}
	s.log.Debug("warmed up", "endpoint", r.Name(), "model", model, "version", version, "took_ms", time.Since(began).Milliseconds())
	return nil
}
