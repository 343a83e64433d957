package gateway

import (
	"context"
	"maps"
	"time"

	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/pause"
)

// actGoOn goes on with what another gateway, or an earlier run of this one, has left half done.
const actGoOn = "model.resume"

// follow looks at the store, and at the servers, until close.
func (s *switches) follow() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	beaten := time.Now()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		}
		s.look(s.life)
		if time.Since(beaten) >= beatEvery {
			beaten = time.Now()
			s.beat(s.life)
		}
		s.resume()
		s.releaseFailed()
		s.guard()
		s.warmReloaded()
	}
}

// look follows what other gateways have written.
func (s *switches) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	all, raw, err := s.store.load(ctx)
	s.mu.Lock()
	if err != nil {
		if !s.away && ctx.Err() == nil {
			s.log.Warn("the store of switched models does not answer; what was in force stays", "error", err)
		}
		s.away = true
		s.mu.Unlock()
		return
	}
	s.away = false
	if string(raw) == s.raw {
		s.mu.Unlock()
		return
	}
	old := s.records
	s.raw, s.records = string(raw), all
	busy := maps.Clone(s.busy)
	s.mu.Unlock()
	s.takeUp(old, all, busy)
}

// takeUp serves what the records say that have changed since the last look, but for models that a call here is busy with.
func (s *switches) takeUp(old, all map[string]switchRecord, busy map[string]bool) {
	for model, r := range all {
		if r.Owner == s.self || busy[model] {
			continue // what this gateway does there, it does in its own order
		}
		if was := old[model]; was.Owner == s.self {
			s.rollouts.Forget(model)
		}
		if s.catalog.Pinned(model) != r.Pin {
			s.catalog.Pin(model, r.Pin)
			s.log.Info("a model's version was switched elsewhere", "model", model, "serving", r.Pin, "by", r.By)
		}
		if r.State.Phase != "" {
			s.rollouts.Adopt(r.State, s.configOf(model))
			s.counts.phase(r.State)
		}
	}
	for model := range old {
		if _, found := all[model]; !found && !busy[model] && s.rollouts.Forget(model) {
			s.catalog.Pin(model, "")
			s.counts.forget(model)
		}
	}
}

// beat says that this gateway still works on what it has claimed.
func (s *switches) beat(ctx context.Context) {
	for model, r := range s.seen() {
		if r.Owner != s.self || !r.open() {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, storeWithin)
		_, _ = s.store.change(ctx, model, func(r *switchRecord) error {
			if r.Owner == s.self {
				r.Beat = time.Now()
			}
			return nil
		})
		cancel()
	}
}

// resume goes on with what nobody works on.
func (s *switches) resume() {
	for model, r := range s.seen() {
		if !r.open() || r.alive(time.Now()) {
			continue
		}
		// Busy, not there yet, or taken by another gateway: the next look tells.
		_, _ = s.begin(s.life, model, r.By, actGoOn, func(context.Context, switchRecord) (rollout.Report, error) {
			state, _ := s.rollouts.State(model)
			return rollout.Report{State: state}, nil
		})
	}
}

// releaseFailed releases the models whose first switch was taken back in the background, or by a gateway that is gone.
func (s *switches) releaseFailed() {
	for model, r := range s.seen() {
		if !r.failed() || r.Owner != s.self && r.alive(time.Now()) {
			continue
		}
		s.mu.Lock()
		busy := s.busy[model]
		s.mu.Unlock()
		if !busy {
			s.release(s.life, model)
		}
	}
}

// write puts new states into the store.
func (s *switches) write() {
	for {
		select {
		case <-s.life.Done():
			return
		case <-s.poke:
		}
		ctx, cancel := context.WithTimeout(s.life, storeWithin)
		if !s.flush(ctx) && s.life.Err() == nil {
			pause.For(s.life, time.Second)
			select {
			case s.poke <- struct{}{}:
			default:
			}
		}
		cancel()
	}
}

// flush writes the states that are not written yet, of models that are this gateway's. It reports whether all are.
func (s *switches) flush(ctx context.Context) (done bool) {
	s.mu.Lock()
	pending := s.pending
	s.pending = map[string]rollout.State{}
	s.mu.Unlock()
	done = true
	for model, state := range pending {
		r, err := s.store.change(ctx, model, func(r *switchRecord) error {
			if r.Owner == s.self {
				r.State = state
				r.Beat = time.Now()
			}
			return nil
		})
		s.mu.Lock()
		if err != nil {
			done = false
			if _, newer := s.pending[model]; !newer {
				s.pending[model] = state
			}
		}
		s.mu.Unlock()
		if err == nil {
			s.note(model, r)
		}
	}
	return done
}
