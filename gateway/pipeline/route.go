package pipeline

import (
	"context"
	"time"

	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

// Routes is what the pipeline asks about names that stand for several models.
type Routes interface {
	// Plan gives the route of a name; ok is false where there is none, and where a model has that name. It neither locks nor allocates.
	Plan(name string) (plan *route.Plan, ok bool)
	// Chosen is told of every request that a route has sent to one of its targets, before it runs.
	Chosen(r *Routed)
	// Answered is told of every request of a route for which a model ran, and of those whose target was not there: the time that the model took, without decoding and reading, and the
	// failure. It comes once, on the goroutine of the computation, and not for stored answers.
	Answered(r *Routed, took time.Duration, err error)
}

// Routed is how a request came from a route to what answers it.
type Routed struct {
	Plan *route.Plan
	route.Choice
	Version string // the one that answers; Choice.Version is empty where the route leaves it to the model's policy
}

// String is what the header X-Route says: shapes/2; reason=sticky:user; route=shapes-ab.
func (r *Routed) String() string {
	return r.Model + "/" + r.Version + "; reason=" + r.Reason + "; route=" + r.Plan.Name
}

// planOf is the plan of a name; nil where it is no route's.
func planOf(routes Routes, name string) *route.Plan {
	if routes == nil {
		return nil
	}
	if plan, ok := routes.Plan(name); ok {
		return plan
	}
	return nil
}

// route decides which model and version answer, before the keys are made: otherwise one variant's answer would be served for all.
func (p *Pipeline) route(ctx context.Context, j *job) (err error) {
	if j.plan != nil {
		return p.choose(ctx, j)
	}
	if err = p.pick(j, j.model.Model, j.Version); err != nil {
		return err
	}
	j.reason = "policy"
	if j.Version != "" {
		j.reason = "requested"
	}
	return nil
}

// choose is route for a route. What accept checks of a model is checked here, because only now it is known which one it is.
func (p *Pipeline) choose(ctx context.Context, j *job) error {
	if j.byDigest && j.plan.Measures() {
		return j.notStored() // its rules look at the picture's size, which is not known
	}
	choice := j.plan.Choose(p.asker(ctx, j), p.answers)
	m, err := p.Models.Lookup(choice.Model)
	if err == nil {
		err = p.pick(j, m, string(choice.Target.Version))
	}
	if err != nil {
		err = misled(j.plan, choice.Target, err)
		p.absent(j, choice, err)
		return err
	}
	if j.raw != nil {
		j.model = &compiled{Model: m}
	} else if j.model, err = p.compile(m); err == nil && !j.asking {
		err = p.fit(j)
	}
	if err != nil {
		return err
	}
	j.reason = choice.Reason
	j.routed = &Routed{Plan: j.plan, Choice: choice, Version: j.version.Number}
	if !j.unseen {
		p.Routes.Chosen(j.routed)
	}
	return nil
}

// answers reports whether a target can answer now.
func (p *Pipeline) answers(t route.Target) bool {
	m, err := p.Models.Lookup(t.Model)
	if err == nil {
		_, err = m.Resolve(string(t.Version))
	}
	return err == nil
}

// misled is the error of a target that does not answer. That it does not exist is the operator's fault, not the caller's.
func misled(plan *route.Plan, t route.Target, err error) error {
	if kind := fault.KindOf(err); kind != fault.NotFound && kind != fault.Invalid {
		return err
	}
	return fault.New(fault.Unavailable, "backend_unavailable", "the route %q leads to %s, which is not there; the operator corrects the route", plan.Name, t).Wrap(err).After(firstGuess)
}

// noVersion refuses a version for a route. A route decides about versions itself; two of its targets may have the same number.
func noVersion(plan *route.Plan, version string) error {
	if version == "" {
		return nil
	}
	return fault.New(fault.Invalid, "invalid_request", "%q is a route, which chooses the version itself; leave the version out, or ask the model for it", plan.Name).At("version", "not for a route")
}

// snapshotOf gives the first of a route's targets that is there. The error is that of the first one.
func snapshotOf(models Models, plan *route.Plan) (m *catalog.Model, err error) {
	for _, t := range plan.Targets() {
		found, e := models.Lookup(t.Model)
		if e == nil {
			_, e = found.Resolve(string(t.Version))
		}
		if e == nil {
			return found, nil
		}
		if err == nil {
			err = misled(plan, t, e)
		}
	}
	return nil, err
}
