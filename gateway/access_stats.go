package gateway

import (
	"context"

	"triton-gateway/internal/caller"
)

// modelCounts are the counts of one model, of all tenants that are looked at.
type modelCounts struct{ answers, hits int64 }

// seenBy gives the counts by model that the caller of ctx may see: those of the own tenant, and all for who may do all; whole says which.
func (s *stats) seenBy(ctx context.Context) (counts map[string]modelCounts, whole bool) {
	who := caller.From(ctx)
	whole = who == nil || who.Scopes.Has(caller.Admin)
	counts = map[string]modelCounts{}
	s.models.Range(func(k, v any) bool {
		key, m := k.(statsKey), v.(*modelStats)
		if whole || key.tenant == who.Tenant {
			c := counts[key.model]
			answers := m.answers.Load()
			c.answers, c.hits = c.answers+answers, c.hits+min(m.hits.Load(), answers) // the hits are read later
			counts[key.model] = c
		}
		return true
	})
	return counts, whole
}
