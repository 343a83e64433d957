package pipeline

import (
	"context"
	"errors"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

// asked wraps the step that asks the model of a routed request, so that the route hears how long it took, and whether it failed. Of an answer that has yet to be read it hears when it
// was; see understood. Neither runs for a stored answer, nor for one that another request's computation gives.
func (p *Pipeline) asked(run func(context.Context, *job) error) func(context.Context, *job) error {
	return func(ctx context.Context, j *job) error {
		if j.routed == nil || j.unseen {
			return run(ctx, j)
		}
		start := time.Since(p.began)
		err := run(ctx, j)
		took := max(time.Since(p.began)-start, 1)
		if err != nil {
			p.Routes.Answered(j.routed, took, err)
			return err
		}
		j.took = took
		return nil
	}
}

// understood wraps the step that reads what the model gave: that nobody can read it is the model's failure too.
func (p *Pipeline) understood(run func(context.Context, *job) error) func(context.Context, *job) error {
	return func(ctx context.Context, j *job) error {
		err := run(ctx, j)
		if j.took > 0 {
			p.Routes.Answered(j.routed, j.took, err)
			j.took = 0
		}
		return err
	}
}

// composed is asked for models that are made of others, which ask in steps of their own.
func (p *Pipeline) composed(run func(context.Context, *job) error) func(context.Context, *job) error {
	whole := p.understood(p.asked(run))
	return func(ctx context.Context, j *job) error {
		if j.model.Source == catalog.FromGraph {
			return whole(ctx, j)
		}
		return run(ctx, j)
	}
}

// passed is asked for tensors that are passed on. The time of a stream is the one to its first response: how long the rest takes is the reader's matter too.
func (p *Pipeline) passed(run func(context.Context, *job) error) func(context.Context, *job) error {
	return func(ctx context.Context, j *job) error {
		if j.routed == nil {
			return run(ctx, j)
		}
		start := time.Since(p.began)
		if j.emit == nil {
			err := run(ctx, j)
			p.Routes.Answered(j.routed, time.Since(p.began)-start, ofTensors(err))
			return err
		}
		first, emit := time.Duration(0), j.emit
		j.emit = func(r *backend.Response) error {
			if first == 0 {
				first = max(time.Since(p.began)-start, 1)
			}
			return emit(r)
		}
		err := run(ctx, j)
		if first == 0 { // it gave none
			first = time.Since(p.began) - start
		}
		p.Routes.Answered(j.routed, first, ofTensors(err))
		return err
	}
}

// ofTensors is the failure as it is of tensors that are passed on. A backend says Contract where a model refuses what it gets, as if the gateway had made that; here the caller did, and
// the cause says so.
func ofTensors(err error) error {
	if fault.KindOf(err) != fault.Contract {
		return err
	}
	var f *fault.Error
	for cause := err; errors.As(cause, &f); cause = f.Err {
		if f.Kind == fault.Invalid {
			return f
		}
	}
	return err
}

// absent tells a route that what it has chosen is not there.
func (p *Pipeline) absent(j *job, choice route.Choice, err error) {
	if !j.unseen {
		p.Routes.Answered(&Routed{Plan: j.plan, Choice: choice}, 0, err)
	}
}
