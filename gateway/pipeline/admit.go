package pipeline

import (
	"context"

	"triton-gateway/gateway/backend"
)

// Admit asks, before a body is read, whether a call of the model may come in. body is its announced size in bytes, -1 where that is not
// known. The caller has to call release when the call has ended.
//
// Errors: Busy queue_full with RetryAfter, NotFound, Unavailable, Timeout where the time that is left cannot suffice.
func (p *Pipeline) Admit(ctx context.Context, model, version string, body int64) (release func(), err error) {
	if g, ok := p.Backend.(backend.Gate); ok {
		if err := g.Full(ctx, model, version); err != nil {
			return nil, err
		}
	}
	return func() {}, nil
}
