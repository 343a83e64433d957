package gateway

import (
	"context"
	"strconv"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
)

// warmed is what is known of loads, by server, model and version.
type warmed struct {
	mu    sync.Mutex
	loads map[string]map[loadOn]string // server -> load -> what names it; without a server there was no look yet
	under map[loadOn]bool
}

type loadOn struct{ server, model, version string }

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
		if here := (loadOn{server: r.Name(), model: "/"}); r.Held() && !r.OutOfService() && s.enter(here) {
			s.work.Go(func() {
				defer s.leave(here)
				if err := s.returned(s.life, r, r.LetIn); err != nil && s.life.Err() == nil {
					s.log.Warn("a model server that takes calls for want of another is not up to date", "endpoint", r.Name(), "error", err)
					sleep(s.life, time.Second)
				}
			})
		}
	}
}

// returned brings a server up to date that comes back: what other gateways switch has to be there, what this one does is loaded, and all is warmed up.
func (s *switches) returned(ctx context.Context, r *triton.Replica, admit func()) error {
	if !s.enter(loadOn{server: r.Name()}) {
		return fault.New(fault.Conflict, "conflict", "it is being brought up to date already")
	}
	defer s.leave(loadOn{server: r.Name()})
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

func (s *switches) enter(what loadOn) bool {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	if s.warm.under == nil {
		s.warm.under = map[loadOn]bool{}
	}
	if s.warm.under[what] {
		return false
	}
	s.warm.under[what] = true
	return true
}

func (s *switches) leave(what loadOn) {
	s.warm.mu.Lock()
	defer s.warm.mu.Unlock()
	delete(s.warm.under, what)
}

// warmAll warms up all that a server has ready and CatchUp does not see to. It notes its loads, so that they are not taken for new ones.
func (s *switches) warmAll(ctx context.Context, r *triton.Replica) error {
	loads := tokens(r)
	s.warm.mu.Lock()
	if s.warm.loads == nil {
		s.warm.loads = map[string]map[loadOn]string{}
	}
	s.warm.loads[r.Name()] = loads
	s.warm.mu.Unlock()
	if s.config.WarmUp == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.WarmUp)
	defer cancel()
	var failed error
	for load := range loads {
		if _, known := s.rollouts.State(load.model); known {
			continue
		}
		if err := s.warmOne(ctx, r, load.model, load.version); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

func tokens(r *triton.Replica) map[loadOn]string {
	loads := map[loadOn]string{}
	for _, l := range r.Loads() {
		loads[loadOn{r.Name(), l.Model, l.Version}] = strconv.FormatUint(l.Times, 10)
	}
	return loads
}

// warmReloaded warms up what was loaded anew behind the gateway's back, beside the calls that go there already.
func (s *switches) warmReloaded() {
	if s.config.WarmUp == 0 {
		return
	}
	if s.client == nil {
		loads := map[loadOn]string{}
		for _, m := range s.catalog.Models() {
			for _, v := range m.Versions {
				if v.State == backend.Ready {
					loads[loadOn{s.engine.Name(), m.Name, v.Number}] = v.Epoch
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
func (s *switches) compare(r rollout.Replica, loads map[loadOn]string) {
	s.warm.mu.Lock()
	if s.warm.loads == nil {
		s.warm.loads = map[string]map[loadOn]string{}
	}
	old, known := s.warm.loads[r.Name()]
	s.warm.loads[r.Name()] = loads
	s.warm.mu.Unlock()
	if !known {
		return
	}
	for load, token := range loads {
		if was, had := old[load]; had && was == token || s.switching(load.model) || !s.enter(load) {
			continue
		}
		s.work.Go(func() {
			defer s.leave(load)
			ctx, cancel := context.WithTimeout(s.life, s.config.WarmUp)
			defer cancel()
			_ = s.warmOne(ctx, r, load.model, load.version) // it is logged
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
