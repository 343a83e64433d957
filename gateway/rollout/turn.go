package rollout

import (
	"context"
	"errors"
	"sync"

	"triton-gateway/internal/fault"
)

// turn is the work on one model, of a call or in the background; there is one of a model at a time.
type turn struct {
	*Rollouts
	m     *rollout
	model string
	ctx   context.Context // the call's; ends with Close too
	leave func()
	notes *notes
}

// begin takes the model for one call, or fails with Conflict. What unloads in the background makes way.
func (r *Rollouts) begin(ctx context.Context, model string) (*turn, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, fault.New(fault.Draining, "shutting_down", "this gateway is shutting down; ask another one to switch models")
	}
	m := r.models[model]
	if m == nil {
		m = &rollout{}
		r.models[model] = m
	}
	if m.busy {
		r.mu.Unlock()
		return nil, conflict("model %q is being switched; come again when that has ended", model)
	}
	m.busy = true
	r.work.Add(1)
	idle := m.idle
	m.idle = nil
	r.mu.Unlock()
	if idle != nil {
		idle()
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.life, cancel)
	return &turn{Rollouts: r, m: m, model: model, ctx: ctx, notes: &notes{}, leave: func() { stop(); cancel() }}, nil
}

// done gives the model back and leaves what is still to be unloaded to the background.
func (t *turn) done() {
	t.leave()
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.work.Done()
	t.m.busy = false
	s := t.m.state
	if s.Phase == "" {
		delete(t.models, t.model)
		return
	}
	if t.closed || s.settled() || s.Phase == Flipping {
		return
	}
	ctx, cancel := context.WithCancel(t.life)
	ended := make(chan struct{})
	t.m.idle = func() { cancel(); <-ended }
	later := &turn{Rollouts: t.Rollouts, m: t.m, model: t.model, ctx: ctx}
	t.work.Go(func() {
		defer close(ended)
		defer cancel()
		later.tidy()
	})
}

func (t *turn) state() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m.state
}

// change writes the state and gives what it then is.
func (t *turn) change(f func(*State)) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.m.state)
	t.tell(t.m.state)
	return t.m.state
}

// tell needs mu.
func (r *Rollouts) tell(s State) {
	if r.deps.Changed != nil {
		r.deps.Changed(s)
	}
}

// pass takes the gate. The caller puts it back.
func (r *Rollouts) pass(ctx context.Context) (leave func(), err error) {
	select {
	case r.gate <- struct{}{}:
		return func() { <-r.gate }, nil
	case <-ctx.Done():
		return nil, fault.Ended(ctx.Err(), "before the model could be switched")
	}
}

// everywhere works on replicas, so many at a time as the settings say. Where hasty is set, the first failure ends the others' work. The error is a Conflict
// replica_failed that names who failed and why, or that of ctx.
func (t *turn) everywhere(ctx context.Context, list []Replica, what string, hasty bool, work func(context.Context, Replica) error) error {
	all, cancel := context.WithCancel(ctx)
	defer cancel()
	failures, first := make([]error, len(list)), -1
	var once sync.Once
	slots := make(chan struct{}, t.set.Parallel)
	var wait sync.WaitGroup
	for i, rep := range list {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if failures[i] = all.Err(); failures[i] == nil {
				failures[i] = work(all, rep)
			}
			if failures[i] != nil {
				once.Do(func() { first = i })
				if hasty {
					cancel()
				}
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return fault.Ended(ctx.Err(), "while the model was being switched")
	}
	if first < 0 {
		return nil
	}
	together := fault.New(fault.Conflict, "replica_failed", "%s", what).Wrap(failures[first])
	for i, err := range failures {
		if err != nil && (i == first || !hasty || !errors.Is(err, context.Canceled)) { // others were given up because of the first
			together.At(list[i].Name(), public(err))
		}
	}
	return together
}

// public is what a caller may read of a replica's failure.
func public(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Detail
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the deadline passed"
	}
	return "the replica failed; the report has its own words"
}
