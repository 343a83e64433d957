package pipeline

import (
	"context"
	"maps"

	"triton-gateway/internal/priority"
)

// paramPriority is the request parameter by which Triton's dynamic batcher tells requests apart: 1 is the most urgent level.
const paramPriority = "priority"

// forwarded gives the priority to forward for a class, to a model with so many levels; ok is false where nothing has to be said: the model has none, or what it does
// with a request that names none is the same. Realtime is the first level, batch the last, interactive the model's own default.
func forwarded(class priority.Class, levels, own uint64) (n uint64, ok bool) {
	switch class {
	case priority.Realtime:
		n = 1
	case priority.Batch:
		n = levels
	default:
		return 0, false
	}
	return n, levels > 0 && n != own
}

// levelOf is forwarded for a job.
func (j *job) levelOf(ctx context.Context) (uint64, bool) {
	c := j.model.Config
	if c == nil || c.PriorityLevels == 0 {
		return 0, false
	}
	return forwarded(priority.From(ctx), c.PriorityLevels, c.PriorityDefault)
}

// parameters are those of the request for the model of a job.
func (j *job) parameters(ctx context.Context) map[string]any {
	if n, ok := j.levelOf(ctx); ok {
		return map[string]any{paramPriority: n}
	}
	return nil
}

// classed gives tensors that are passed on the level of their class, unless their caller has said one.
func (j *job) classed(ctx context.Context) {
	if _, said := j.raw.Params[paramPriority]; said {
		return
	}
	n, ok := j.levelOf(ctx)
	if !ok {
		return
	}
	params := maps.Clone(j.raw.Params) // the caller's own
	if params == nil {
		params = make(map[string]any, 1)
	}
	params[paramPriority] = n
	j.raw.Params = params
}
