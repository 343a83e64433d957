package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/quota"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// quotaView is what a caller may use, and what is left.
type quotaView struct {
	Limited     bool             `json:"limited" doc:"The caller has limits; without, the rest is left out"`
	Key         string           `json:"key,omitempty" doc:"Whose quota this is" example:"web-app"`
	Tier        string           `json:"tier,omitempty" doc:"Whose limits count" example:"default"`
	DryRun      bool             `json:"dry_run,omitempty" doc:"Nothing is refused"`
	Shared      bool             `json:"shared,omitempty" doc:"All gateways count together, through Redis; where they do not, this is what this one knows"`
	Limits      []quotaLimitView `json:"limits,omitempty"`
	Concurrency *quotaTimesView  `json:"concurrency,omitempty" doc:"Requests at one time in this gateway"`
}

type quotaLimitView struct {
	Name      string  `json:"name" doc:"As in RateLimit and RateLimit-Policy" example:"megapixels"`
	Unit      string  `json:"unit" enum:"requests,megapixels,bytes,seconds" doc:"Of quota and remaining"`
	Quota     float64 `json:"quota" doc:"What may be used at once" example:"50"`
	Window    int64   `json:"window_seconds" doc:"In which so much comes back; 86400 for a day's budget, which is full again at midnight UTC" example:"1"`
	Remaining float64 `json:"remaining" doc:"Below zero: more was used than was left; requests are refused until it is paid back" example:"37.5"`
	Full      float64 `json:"full_in_seconds" doc:"Until nothing is missing" example:"0.25"`
}

type quotaTimesView struct {
	Limit   int `json:"limit" example:"32"`
	Running int `json:"running" example:"1"`
}

type quotaInput struct {
	Key    string `query:"key" maxLength:"256" doc:"The id of another's key, for callers with the scope admin" example:"web-app"`
	Tenant string `query:"tenant" maxLength:"256" doc:"Whose key it is, where keys of several tenants may be called so" example:"a"`
	Tier   string `query:"tier" maxLength:"64" doc:"The tier of that key, where it has not called this gateway yet" example:"gold"`
}

type quotaOutput struct{ Body quotaView }

// registerQuota adds the route that shows a quota. Asking costs nothing, and is never refused by a quota.
func (s *server) registerQuota(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "quota", Method: http.MethodGet, Path: "/v1/quota", Tags: []string{"stats"},
		Summary: "What the caller may use, and what is left", Description: "Of the key that asks, or of any key for callers with the scope admin. Costs nothing.",
		Errors: []int{400, 401, 403, 404},
	}, s.quota)
}

func (s *server) quota(ctx context.Context, in *quotaInput) (*quotaOutput, error) {
	if s.quotas == nil {
		return &quotaOutput{}, nil
	}
	who, ok := s.quotas.subject(ctx, addressOf(ctx))
	if in.Key != "" || in.Tier != "" {
		var err error
		if who, err = s.quotas.other(ctx, in); err != nil {
			return nil, err
		}
		ok = true
	}
	out := &quotaOutput{}
	if !ok {
		return out, nil
	}
	u, ok := s.quotas.Usage(who)
	if !ok {
		return out, nil
	}
	stats := s.quotas.Stats()
	v := &out.Body
	*v = quotaView{Limited: true, Key: who.ID, Tier: u.Tier, DryRun: stats.DryRun, Shared: stats.Shared != nil && stats.Shared.Up}
	for _, l := range u.Limits {
		v.Limits = append(v.Limits, viewOf(&l))
	}
	if u.Concurrency > 0 {
		v.Concurrency = &quotaTimesView{u.Concurrency, u.Running}
	}
	return out, nil
}

// other is the subject that an operator asks for.
func (q *quotas) other(ctx context.Context, in *quotaInput) (quota.Subject, error) {
	tenant := in.Tenant
	if c := caller.From(ctx); c != nil && !c.Scopes.Has(caller.Admin) {
		if in.Key != c.ID || in.Tier != "" && in.Tier != c.Tier || tenant != "" && tenant != c.Tenant {
			return quota.Subject{}, othersQuota()
		}
		tenant = c.Tenant
	}
	if in.Key == "" {
		return quota.Subject{}, badOption("query.tier", "tier is for the quota of a key: add key=ID, or leave tier out")
	}
	for _, kind := range []quota.Kind{quota.Key, quota.Tenant, quota.Address} {
		if who, ok := q.Find(kind, tenant, in.Key); ok && (in.Tier == "" || in.Tier == who.Tier) {
			return who, nil
		}
	}
	if in.Tier == "" {
		return quota.Subject{}, fault.New(fault.NotFound, "not_found", "the key %q has not called this gateway since it started; add its tier to see what others know of it", clip(in.Key)).At("query.key", "not seen here")
	}
	return quota.Subject{Kind: quota.Key, Tenant: tenant, ID: in.Key, Tier: in.Tier}, nil
}

func othersQuota() error {
	return fault.New(fault.Forbidden, "forbidden", "the quotas of other keys are shown to keys with the scope admin; leave key, tenant and tier out to see your own").At("query.key", "another's key")
}

func viewOf(l *quota.UsageLimit) quotaLimitView {
	unit, scale := l.Unit.String(), 1.0
	switch l.Unit {
	case quota.Pixels:
		scale = 1e6
	case quota.Inference:
		unit, scale = "seconds", 1e3
	}
	window := l.Window
	if window == 0 {
		window = 24 * time.Hour
	}
	return quotaLimitView{Name: l.Name(), Unit: unit, Quota: l.Quota / scale, Window: int64(window / time.Second), Remaining: l.Left / scale, Full: float64(l.Full.Milliseconds()) / 1000}
}

// addressOf is the client's address of a typed handler's request: host:port.
func addressOf(ctx context.Context) string {
	if c, ok := ctx.Value(ginKey{}).(*gin.Context); ok {
		return c.Request.RemoteAddr
	}
	return ""
}
