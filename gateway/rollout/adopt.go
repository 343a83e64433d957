package rollout

import "triton-gateway/modelconfig"

// Adopt takes over how a model's switch has ended that another process has made, so that CatchUp knows which version serves. It reports whether it did: not for a state
// that is not settled, and not while this process has work of its own with the model.
func (r *Rollouts) Adopt(s State, c *modelconfig.Config) bool {
	if s.check() != nil || !s.settled() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.models[s.Model]
	switch {
	case r.closed:
		return false
	case m == nil:
		m = &rollout{}
		r.models[s.Model] = m
	case m.busy, m.state.Phase != "" && !m.state.settled():
		return false
	}
	m.state, m.config = s, c
	return true
}

// Forget gives a model up that another process goes on with, as it is, and ends what unloads in the background. It reports whether it did: not while a call works on it.
func (r *Rollouts) Forget(model string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.models[model]
	switch {
	case m == nil:
		return true
	case m.busy:
		return false
	case m.idle != nil:
		idle := m.idle
		m.idle, m.busy = nil, true // nobody begins meanwhile
		r.mu.Unlock()
		idle()
		r.mu.Lock()
	}
	delete(r.models, model)
	return true
}

// Settled reports whether one version serves alone.
func (s State) Settled() bool { return s.settled() }

// Wanted are the versions that replicas are to serve.
func (s State) Wanted() []string { return s.wanted() }
