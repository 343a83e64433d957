package rollout

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"triton-gateway/modelconfig"
)

// Rollouts are the switches of all models of one pool. Safe for concurrent use.
type Rollouts struct {
	deps Deps
	set  Settings
	// gate holds one token. Who has it may flip, or let a replica in: while one looks at all that take traffic, nobody is added to them.
	gate chan struct{}
	// life ends with Close.
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	// catching holds the names of the replicas that CatchUp works on.
	catching sync.Map

	mu     sync.Mutex // guards all below
	closed bool
	models map[string]*rollout
}

// rollout is one model. Its fields are guarded by Rollouts.mu.
type rollout struct {
	state  State // Phase "" before the first switch has begun
	config *modelconfig.Config
	busy   bool // a call works on it
	// idle ends the goroutine that unloads what is not wanted any more, and waits for its end; nil where there is none.
	idle func()
}

// New makes the switches of a pool. The caller closes them.
func New(d Deps, s Settings) *Rollouts {
	r := &Rollouts{deps: d, set: s.complete(), gate: make(chan struct{}, 1), models: map[string]*rollout{}}
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

// Close ends all that is under way, cleanly: a switch before its flip is taken back. State stays readable, for Resume in the next process.
func (r *Rollouts) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.work.Wait()
}

// State is where the switch of a model stands; false where there has been none.
func (r *Rollouts) State(model string) (State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.models[model]
	if m == nil || m.state.Phase == "" {
		return State{}, false
	}
	return m.state, true
}

// States are the models' switches, by name.
func (r *Rollouts) States() (list []State) {
	for _, m := range r.known() {
		list = append(list, m.state)
	}
	return list
}

// known gives copies of all models that have a state, by name.
func (r *Rollouts) known() (list []rollout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.models {
		if m.state.Phase != "" {
			list = append(list, rollout{state: m.state, config: m.config})
		}
	}
	slices.SortFunc(list, func(a, b rollout) int { return cmp.Compare(a.state.Model, b.state.Model) })
	return list
}
