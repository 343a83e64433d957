package gateway

import (
	"context"

	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/limit"
)

// requests is the pipeline and its door.
type requests struct {
	*pipeline.Pipeline
	*pipeline.Admission
	decoders *limit.Limiter
}

var _ runner = requests{}

// Decodable is nil if a picture that came now would be decoded or wait for it; otherwise the error that it would get.
func (r requests) Decodable() error { return r.decoders.Full() }

// withBudget is requests for callers whose bodies are read elsewhere: Admit also takes the body's bytes from the budget that bounds all bodies
// in memory.
type withBudget struct {
	requests
	bodies byteBudget
}

var _ kserve.Runner = withBudget{}

// Admit is pipeline.Admission's, and waits a moment for memory.
func (r withBudget) Admit(ctx context.Context, model, version string, body int64) (func(), error) {
	release, err := r.requests.Admit(ctx, model, version, body)
	if err != nil {
		return nil, err
	}
	if body < 0 {
		body = r.Unknown
	}
	free, err := takeBytes(ctx, r.bodies, body)
	if err != nil {
		release()
		return nil, err
	}
	return func() {
		free()
		release()
	}, nil
}
