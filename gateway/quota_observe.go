package gateway

import (
	"context"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/quota"
)

// charged tells each caller's quota what the pipeline does for it: items, decoded pixels, and the time for which a model was asked. What a cache answers, or another
// caller's computation, costs none of the last two.
type charged struct{ next pipeline.Observer } // nil: nobody else watches

var _ pipeline.Observer = charged{}

// observed is the pipeline's observer, with quotas or without.
func (g *Gateway) observed(counts *metrics) pipeline.Observer {
	next := counts.observer()
	if g.quotas == nil {
		return next
	}
	return charged{next}
}

// Begin implements pipeline.Observer.
func (c charged) Begin(ctx context.Context, s pipeline.Stage) context.Context {
	if c.next == nil {
		return ctx
	}
	return c.next.Begin(ctx, s)
}

// End implements pipeline.Observer.
func (c charged) End(ctx context.Context, e pipeline.Ended) {
	switch e.Stage {
	case pipeline.Accept:
		quota.From(ctx).Item()
	case pipeline.Preprocess:
		quota.From(ctx).Add(quota.Pixels, float64(e.Pixels))
	case pipeline.Infer:
		quota.From(ctx).Add(quota.Inference, float64(e.Took)/float64(time.Millisecond))
	}
	if c.next != nil {
		c.next.End(ctx, e)
	}
}

// Shared implements pipeline.Observer.
func (c charged) Shared(ctx context.Context) {
	if c.next != nil {
		c.next.Shared(ctx)
	}
}
