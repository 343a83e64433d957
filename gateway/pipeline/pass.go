package pipeline

import (
	"context"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/internal/fault"
)

// Passed is the answer to a call with tensors as they are.
type Passed struct {
	*backend.Response
	Routed  *Routed // nil where a model was named
	Timings []Timing
}

// Pass runs tensors as they are, as callers of KServe v2 send them: nothing is decoded, hashed or kept. r.Version "" means the version that the
// model's policy gives; Pass sets it, and sets the model where a route is named. It joins the list of an image's request at route.
//
// Errors are *fault.Error of the kinds of backend.Backend, in Triton's words where the request is wrong.
func (p *Pipeline) Pass(ctx context.Context, r *backend.Request) (*Passed, error) {
	j := &job{Request: &Request{Model: r.Model, Version: r.Version, ID: r.ID}, raw: r, uses: true}
	defer j.leave()
	if err := p.run(ctx, j, p.passing); err != nil {
		return nil, err
	}
	p.shadowed(ctx, j)
	return &Passed{j.response, j.routed, j.timings}, nil
}

// Stream is Pass for decoupled models: each response goes to emit, in order. See backend.Streamer.
func (p *Pipeline) Stream(ctx context.Context, r *backend.Request, emit func(*backend.Response) error) error {
	j := &job{Request: &Request{Model: r.Model, Version: r.Version, ID: r.ID}, raw: r, emit: emit, uses: true}
	defer j.leave()
	return p.run(ctx, j, p.passing)
}

// known finds the model of tensors that are passed on. Its task may be anything: tensors need no task.
func (p *Pipeline) known(_ context.Context, j *job) error {
	if j.plan = planOf(p.Routes, j.Model); j.plan != nil {
		return noVersion(j.plan, j.Version)
	}
	m, err := p.Models.Lookup(j.Model)
	if err != nil {
		return err
	}
	j.model = &compiled{Model: m}
	return nil
}

// direct decides which version answers, and then refuses what it would refuse, so that nothing bad is forwarded. Triton looks at both in
// this order.
func (p *Pipeline) direct(ctx context.Context, j *job) error {
	if err := p.route(ctx, j); err != nil {
		return err
	}
	if j.model.Source == catalog.FromGraph {
		return ofPictures(j.model.Model)
	}
	j.raw.Model, j.raw.Version = j.model.Name, j.version.Number
	return backend.Check(j.model.Config, j.raw)
}

// forward asks the backend.
func (p *Pipeline) forward(ctx context.Context, j *job) (err error) {
	j.classed(ctx)
	if j.emit == nil {
		j.response, err = p.Backend.Infer(ctx, j.raw)
		return err
	}
	if s, ok := p.Backend.(backend.Streamer); ok {
		return s.Stream(ctx, j.raw, j.emit)
	}
	return fault.New(fault.Unsupported, "unsupported_model", "this backend has no streams")
}
