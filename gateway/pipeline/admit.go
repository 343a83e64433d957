package pipeline

import (
	"context"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// Admission decides, before a body is read, whether a call may come in: what would be turned away, or could not end in time, is not worth
// reading. It bounds the calls of one model and the bytes of their bodies, so that one model's load leaves room for the others. Batch calls may take three
// quarters of it, and realtime ones an eighth more than all.
//
// All fields but Routes and Meter are needed. It is safe for concurrent use.
type Admission struct {
	Models  Models
	Routes  Routes // nil: there are none
	Backend backend.Backend
	Items   int           // calls of one model at a time, those that wait included
	Bytes   int64         // of the bodies of one model's calls
	Unknown int64         // what a body counts for whose size is not announced, in bytes
	Timeout time.Duration // what a call may take whose context has no deadline
	// Parallel is how many calls run side by side at least, without one making the other slower.
	Parallel int
	Meter    *priority.Meter // counts refusals by class

	lanes sync.Map // model name -> *lane; of models that exist
}

// Admit asks whether a call of the model may come in. body is its announced size in bytes, -1 where that is not known. The caller has to call
// release when the call has ended; calling it again does nothing. That no server can be reached is no reason to refuse: stored answers are
// still given.
//
// Errors: Busy queue_full with RetryAfter, TooLarge body_too_large, NotFound, Unavailable where the model is not ready, Timeout where the
// backend says so.
func (a *Admission) Admit(ctx context.Context, model, version string, body int64) (release func(), err error) {
	l, name, body, err := a.door(ctx, model, version, body)
	if err != nil {
		return nil, err
	}
	return l.enter(ctx, a, name, body)
}

// Full is the error that Admit would give now, and takes no place: for a caller that has seen the beginning of a body, and is to read the rest only if there
// is a use for it. Such a caller asks Admit later all the same.
func (a *Admission) Full(ctx context.Context, model, version string, body int64) error {
	l, name, body, err := a.door(ctx, model, version, body)
	if err != nil {
		return err
	}
	class := priority.From(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full(ctx, a, name, class, body)
}

// door is the lane that a call would enter, with the model's own name and the bytes that its body counts for.
func (a *Admission) door(ctx context.Context, model, version string, body int64) (*lane, string, int64, error) {
	name, first, others, err := a.aims(model, version)
	if err != nil {
		return nil, "", 0, err
	}
	if body < 0 {
		body = a.Unknown
	}
	if body > a.Bytes {
		return nil, "", 0, fault.New(fault.TooLarge, "body_too_large", "the body is larger than all bodies of one model may be together, %d bytes; send less, or raise limits.model_bytes", a.Bytes).
			At("body", "too large")
	}
	if g, ok := a.Backend.(backend.Gate); ok {
		err := g.Full(ctx, first.model, first.version)
		for i := 0; i < len(others) && turnedAway(err); i++ { // who of them is chosen is known only once the body is
			err = g.Full(ctx, others[i].model, others[i].version)
		}
		if turnedAway(err) {
			return nil, "", 0, err
		}
	}
	l, ok := a.lanes.Load(name)
	if !ok {
		l, _ = a.lanes.LoadOrStore(name, &lane{})
	}
	return l.(*lane), name, body, nil
}

func turnedAway(err error) bool { return err != nil && fault.KindOf(err) != fault.Unavailable }

// aim is a version that may answer.
type aim struct{ model, version string }

// aims gives who may answer a call, with the name of its lane: a model's own, or a route's.
func (a *Admission) aims(model, version string) (name string, first aim, others []aim, err error) {
	if plan := planOf(a.Routes, model); plan != nil {
		first, others, err = a.routeAims(plan, version)
		return plan.Name, first, others, err
	}
	m, err := a.Models.Lookup(model)
	if err != nil {
		return "", aim{}, nil, err
	}
	v, err := m.Resolve(version)
	return m.Name, aim{m.Name, v.Number}, nil, err
}

// routeAims gives those of a route's targets that can answer now. The error is that of the first target where none can.
func (a *Admission) routeAims(plan *route.Plan, version string) (first aim, others []aim, err error) {
	if err := noVersion(plan, version); err != nil {
		return aim{}, nil, err
	}
	if _, err := snapshotOf(a.Models, plan); err != nil {
		return aim{}, nil, err
	}
	var list []aim
	for _, t := range plan.Targets() {
		m, err := a.Models.Lookup(t.Model)
		if err != nil {
			continue
		}
		if v, err := m.Resolve(string(t.Version)); err == nil {
			list = append(list, aim{m.Name, v.Number})
		}
	}
	if len(list) == 0 { // it went this moment
		return aim{}, nil, fault.New(fault.Unavailable, "backend_unavailable", "none of the models that the route %q leads to is ready", plan.Name).After(firstGuess)
	}
	return list[0], list[1:], nil
}

// Load is what one model's calls are at one moment.
type Load struct {
	Model   string
	Calls   int           // under way, those that wait included
	Bytes   int64         // of their bodies
	Refused uint64        // since the start
	Hold    time.Duration // smoothed time that a call takes; 0: none ended yet
}

// Loads gives the load of every model that was asked for, in no order.
func (a *Admission) Loads() (list []Load) {
	a.lanes.Range(func(name, value any) bool {
		l := value.(*lane)
		l.mu.Lock()
		defer l.mu.Unlock()
		list = append(list, Load{name.(string), l.running, l.bytes, l.refused, l.hold})
		return true
	})
	return list
}
