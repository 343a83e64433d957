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

var (
	_ runner        = requests{}
	_ kserve.Runner = requests{}
)

// Decodable is nil if a picture that came now would be decoded or wait for it; otherwise the error that it would get.
func (r requests) Decodable(ctx context.Context) error { return r.decoders.Full(ctx) }
