package embedded

import (
	"context"
	"errors"
	"strconv"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// Infer runs one model. At most as many runs of a version go on at the same time as its instance groups say, and at most as
// many threads run as Config.Threads says; others wait in the order in which they came, until their ctx ends. A call that could not be
// answered in the time that ctx has left is refused at once, and so is one that finds maxWaiting others waiting.
//
// When ctx ends while the model runs, Infer returns after the operator that is being computed: until then ONNX Runtime reads the
// request's tensors.
func (e *Engine) Infer(ctx context.Context, r *backend.Request) (*backend.Response, error) {
	e.life.RLock()
	defer e.life.RUnlock()
	run, labels, err := e.find(r.Model, r.Version)
	if err != nil {
		return nil, err
	}
	defer run.release()
	return e.infer(ctx, run, labels, r)
}

// infer is Infer with a claim on the load.
func (e *Engine) infer(ctx context.Context, run *loaded, labels map[string][]string, r *backend.Request) (*backend.Response, error) {
	if err := backend.Check(run.config, r); err != nil {
		return nil, err
	}
	if run.loop != nil {
		return nil, noUnary(r.Model)
	}
	t := times{arrived: time.Now()}
	outputs, err := e.turn(ctx, run, r, labels, &t)
	if err != nil {
		run.stats.fail(t.arrived)
		return nil, err
	}
	t.done = time.Now()
	run.stats.success(&t, backend.Batch(run.config, r), r)
	return &backend.Response{Version: r.Version, Epoch: run.epoch, Outputs: outputs}, nil
}

// turn waits for a place and for threads, and runs the request.
func (e *Engine) turn(ctx context.Context, run *loaded, r *backend.Request, labels map[string][]string, t *times) ([]tensor.Tensor, error) {
	leave, err := e.place(ctx, run, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	defer e.threads.Release(int64(run.threads))
	t.began = time.Now()
	p, err := newPlan(run, r)
	if err != nil {
		return nil, err
	}
	t.ready = time.Now()
	out, err := e.compute(ctx, run, r, p.inputs, p.shapes)
	if err != nil {
		return nil, err
	}
	t.ran = time.Now()
	return p.answer(out, labels)
}

// place waits for a place and for threads. On success the caller calls leave, and releases run.threads threads.
func (e *Engine) place(ctx context.Context, run *loaded, r *backend.Request) (leave func(), err error) {
	if err := run.hopeless(ctx); err != nil {
		return nil, err
	}
	leave, _, err = run.line.Acquire(ctx)
	switch {
	case fault.KindOf(err) == fault.Busy:
		return nil, err
	case err != nil:
		return nil, e.ended(ctx, r)
	}
	if e.threads.Acquire(ctx, int64(run.threads)) != nil {
		leave()
		return nil, e.ended(ctx, r)
	}
	if ctx.Err() != nil || e.base.Err() != nil { // its time ended, or the engine's, as its turn came
		e.threads.Release(int64(run.threads))
		leave()
		return nil, e.ended(ctx, r)
	}
	return leave, nil
}

// compute runs the session, and says what a failure means.
func (e *Engine) compute(ctx context.Context, run *loaded, r *backend.Request, inputs []tensor.Tensor, shapes [][]int64) ([]tensor.Tensor, error) {
	out, err := run.session.Run(ctx, inputs, shapes)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, ort.ErrStopped):
		return nil, e.ended(ctx, r)
	case errors.Is(err, ort.ErrInput):
		return nil, fault.New(fault.Invalid, "invalid_request", "model '%s': %s", r.Model, short(err))
	case errors.Is(err, ort.ErrOutput):
		return nil, contract(r, "%s", short(err))
	}
	return nil, fault.New(fault.Upstream, "upstream_error", "model '%s' version %s failed: %s", r.Model, r.Version, short(err)).Wrap(err)
}

// find gives a claim on the load that serves a version now, and the model's labels.
func (e *Engine) find(name, version string) (*loaded, map[string][]string, error) {
	for {
		m, ok := (*e.shown.Load())[name]
		switch {
		case e.closed:
			return nil, nil, unavailable("the embedded engine is closed")
		case !ok:
			return nil, nil, unknownModel(name)
		}
		v, status := m.version(version)
		switch {
		case v != nil && v.run.retain():
			return v.run, m.labels, nil
		case v != nil: // replaced since: look again
		case status != nil:
			return nil, nil, unavailable("model '%s' version %s is not at ready state: %s", name, version, status.Reason)
		case len(m.ready) == 0:
			return nil, nil, unavailable("model '%s' has no available versions: %s", name, m.reason())
		default:
			return nil, nil, fault.New(fault.NotFound, "version_not_found", "Request for unknown model: '%s' version %s is not found", name, version)
		}
	}
}

// ended tells why ctx has ended.
func (e *Engine) ended(ctx context.Context, r *backend.Request) error {
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return fault.New(fault.Timeout, "deadline_exceeded", "the deadline passed before model '%s' had answered", r.Model).Wrap(ctx.Err())
	case e.base.Err() != nil:
		return unavailable("the embedded engine is closed").Wrap(ctx.Err())
	}
	return fault.New(fault.Canceled, "client_closed", "the request was given up before model '%s' had answered", r.Model).Wrap(ctx.Err())
}

func contract(r *backend.Request, format string, args ...any) *fault.Error {
	f := fault.New(fault.Contract, "upstream_contract", format, args...)
	f.Detail = "model '" + r.Model + "' version " + r.Version + " does not keep to its config: " + f.Detail
	return f
}

// short cuts a library's text to what fits a line.
func short(err error) string {
	const most = 300
	if s := err.Error(); len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return err.Error()
}
