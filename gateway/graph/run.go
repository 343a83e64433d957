package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

// execution is one run of a graph.
type execution struct {
	*Graph
	runner Runner
	in     Input
	places chan struct{} // models asked at one time
	steps  []step
	over   chan struct{} // closed when a node ends the run before the output is there

	mu      sync.Mutex // guards the rest
	err     error      // why the run failed
	stopped *step      // the switch that ended it
}

// step is one node in a run. Its fields are written by the node's goroutine, and read by others once done is closed.
type step struct {
	done   chan struct{}
	value  *value // nil: it gave nothing
	chosen map[string]bool
	Step
}

// Run runs the graph on one input. Nodes that do not depend on each other run side by side; at most Document.Parallel models are asked at one time. When it
// returns, no node runs any more.
//
// Errors: the first of a node whose on_error is fail, with the node's name; Timeout deadline_exceeded and Canceled client_closed by ctx. What else failed is in
// the answer's steps.
func (g *Graph) Run(ctx context.Context, r Runner, in Input) (*Answer, error) {
	if g.doc.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.doc.Timeout)
		defer cancel()
	}
	e := &execution{Graph: g, runner: r, in: in, places: make(chan struct{}, g.doc.Parallel), steps: make([]step, len(g.nodes)), over: make(chan struct{})}
	for i := range e.steps {
		e.steps[i].done = make(chan struct{})
		e.steps[i].Node, e.steps[i].State = g.nodes[i].Name, Late
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i := range g.nodes {
		all.Go(func() { e.node(inner, i) })
	}
	select {
	case <-e.steps[g.output].done:
	case <-e.over:
	case <-ctx.Done():
	}
	cancel() // stragglers are not waited for
	all.Wait()
	return e.answer(ctx)
}

// answer is made when no node runs any more.
func (e *execution) answer(ctx context.Context) (*Answer, error) {
	out := &e.steps[e.output]
	switch {
	case e.err != nil:
		return nil, e.err
	case e.stopped != nil:
		out = e.stopped
	case out.State == Late:
		return nil, fault.Ended(ctx.Err(), "while the graph ran")
	}
	a := &Answer{kind: emptyKind(e.in.Task)}
	if e.stopped != nil {
		a.Stopped = out.Node
	}
	if v := out.value; v != nil {
		a.kind, a.Found, a.Predictions, a.Other = v.kind, v.found, v.classes, v.other
		if top := e.in.Options.TopK; top != nil && v.kind == classes && *top < len(v.classes) {
			a.Predictions = v.classes[:max(*top, 1)]
		}
	}
	for i := range e.steps {
		step := e.steps[i].Step
		if e.stopped != nil && step.State == Late {
			step.State = Skipped
		}
		a.Steps = append(a.Steps, step)
	}
	return a, nil
}

func emptyKind(t task.Name) kind {
	switch t {
	case task.ObjectDetection:
		return detections
	case task.ImageClassification, task.TabularClassification:
		return classes
	}
	return other
}

// node runs one node when what it needs is there.
func (e *execution) node(ctx context.Context, i int) {
	n, s := &e.nodes[i], &e.steps[i]
	defer close(s.done)
	defer func() {
		if p := recover(); p != nil {
			e.fail(s, fmt.Errorf("graph: node %s: panic: %v", n.Name, p))
		}
	}()
	switch run, err := e.gated(ctx, n); {
	case err != nil:
		return
	case !run:
		s.State = Skipped
		return
	}
	var inputs []*value
	if n.Vote == nil { // a vote need not wait for all
		var err error
		if inputs, err = e.inputs(ctx, n); err != nil {
			return
		}
		if inputs == nil {
			s.State = Skipped
			return
		}
	}
	inner := ctx
	if n.Timeout > 0 {
		var cancel context.CancelFunc
		inner, cancel = context.WithTimeout(ctx, n.Timeout)
		defer cancel()
	}
	v, err := e.work(inner, n, s, inputs)
	switch {
	case ctx.Err() != nil && (err != nil || s.Err != nil):
		s.value, s.Err, s.Failed = nil, nil, 0 // Late
	case err == nil:
		e.settle(n, s, v)
	case n.onError == "fail":
		e.fail(s, named(n, err))
	default:
		s.State, s.Err = Failed, named(n, err)
		if v := n.instead(); n.onError == "default" && v != nil {
			s.State, s.value, s.Items = Defaulted, v, v.items()
		}
	}
}

// settle ends a node that has a value, some of whose crops may have failed.
func (e *execution) settle(n *node, s *step, v *value) {
	s.value, s.Items, s.State = v, v.items(), Done
	if s.Err != nil {
		if s.State = Partial; n.onError == "default" {
			s.State = Defaulted
		}
	}
	if n.Switch != nil && s.chosen == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err == nil && e.stopped == nil {
			e.stopped = s
			close(e.over)
		}
	}
}

// gated reports whether the node runs: no switch names it, or one has chosen it.
func (e *execution) gated(ctx context.Context, n *node) (bool, error) {
	chosen := len(n.gates) == 0
	for _, k := range n.gates {
		select {
		case <-e.steps[k].done:
		case <-ctx.Done():
			return false, ctx.Err()
		}
		chosen = chosen || e.steps[k].chosen[n.Name]
	}
	return chosen, nil
}

// inputs waits for what the node reads, but for the input itself. A merge takes what is there; any other node reads one, and nil is given where it gave nothing.
func (e *execution) inputs(ctx context.Context, n *node) ([]*value, error) {
	list := []*value{}
	for _, k := range n.reads {
		if k < 0 {
			continue
		}
		select {
		case <-e.steps[k].done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if v := e.steps[k].value; v != nil {
			list = append(list, v)
		}
	}
	if len(list) == 0 && n.reads[0] >= 0 {
		return nil, nil
	}
	return list, nil
}

// fail ends the run.
func (e *execution) fail(s *step, err error) {
	s.State, s.Err = Failed, err
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil && e.stopped == nil {
		e.err = err
		close(e.over)
	}
}

// named says which node failed. A node's own timeout is told apart from the request's by its setting.
func named(n *node, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && n.Timeout > 0 {
		return fault.New(fault.Timeout, "deadline_exceeded", "node %q was not done in its timeout, %v", n.Name, n.Timeout).Wrap(err)
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Errorf("node %q: %w", n.Name, err)
	}
	told := *f
	told.Detail, told.Err = fmt.Sprintf("node %q: %s", n.Name, f.Detail), err
	return &told
}
