package gateway

import (
	"context"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
)

// quotaRunner runs items of jobs on the quotas of those who have handed them in. An item that is refused is tried again later, and its job loses no attempt. Items do
// not count as requests at a time, as the number of workers bounds them.
type quotaRunner struct {
	jobs.Runner
	quotas *quotas
}

var _ jobs.Runner = quotaRunner{}

// Run implements jobs.Runner.
func (q quotaRunner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	who, ok := q.quotas.subject(ctx, "")
	if !ok {
		return q.Runner.Run(ctx, r)
	}
	p, err := q.quotas.EnterLater(ctx, who)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return q.Runner.Run(ctx, r)
	}
	defer p.Leave()
	return q.Runner.Run(p, r)
}

// onQuota puts quotas before a runner, where there are some.
func (q *quotas) onQuota(r jobs.Runner) jobs.Runner {
	if q == nil {
		return r
	}
	return quotaRunner{r, q}
}

// submitter is whose quota counts for a job; "" where nobody says who calls.
func submitter(ctx context.Context) (id, tier string) {
	if c := caller.From(ctx); c != nil {
		return c.ID, c.Tier
	}
	return "", ""
}
