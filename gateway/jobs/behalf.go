package jobs

import (
	"context"

	"triton-gateway/internal/caller"
)

// onBehalf lets the work on a job be done in the name of who has handed it in. What they may do counted when they did.
func onBehalf(ctx context.Context, s *Spec) context.Context {
	if s.Caller == "" && s.Tenant == "" && s.Tier == "" {
		return ctx
	}
	return caller.With(ctx, &caller.Caller{ID: s.Caller, Tenant: s.Tenant, Tier: s.Tier, Scopes: caller.Infer})
}
