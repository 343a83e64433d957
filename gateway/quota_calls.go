package gateway

import (
	"context"

	"triton-gateway/gateway/kserve"
)

// callMeter counts calls of KServe v2 over gRPC; those over HTTP are counted with all other requests.
type callMeter struct{ quotas *quotas }

var _ kserve.Meter = callMeter{}

// ofCalls counts calls over gRPC; nil where there are no quotas.
func (q *quotas) ofCalls() kserve.Meter {
	if q == nil {
		return nil
	}
	return callMeter{q}
}

// Enter implements kserve.Meter.
func (m callMeter) Enter(ctx context.Context, address string, bytes int64) (kserve.Pass, error) {
	who, ok := m.quotas.subject(ctx, address)
	if !ok {
		return nil, nil
	}
	p, err := m.quotas.Enter(ctx, who, bytes)
	if p == nil {
		return nil, err
	}
	p.Sent(bytes)
	return p, err
}

// Look implements kserve.Meter.
func (m callMeter) Look(ctx context.Context, address string) (policy, state []string, err error) {
	who, ok := m.quotas.subject(ctx, address)
	if !ok {
		return nil, nil, nil
	}
	return m.quotas.Look(who)
}
