package gateway

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/quota"
	"triton-gateway/internal/caller"
)

// quotas are the limits of callers. nil: there are none.
type quotas struct {
	*quota.Limiter
	byAddress bool
}

// headerWould says in a dry run which quota would have refused the request, and when it might have come again.
const headerWould = "X-Quota-Would-Refuse"

// openQuotas makes the limits that the settings want.
func (g *Gateway) openQuotas(counts *metrics) (*quotas, error) {
	c := &g.config.Quotas
	tiers, _ := c.tiers() // has been checked
	if len(tiers) == 0 {
		return nil, nil
	}
	url, ca := g.config.quotaRedis()
	l, err := quota.New(quota.Config{Tiers: tiers, DryRun: c.DryRun, Redis: url, RedisCA: ca, Log: g.log})
	if err != nil {
		return nil, bad("quotas.redis: %w", err)
	}
	g.onClose(l.Close)
	counts.registry.MustRegister(quotaReadings(l.Stats))
	return &quotas{l, c.ByAddress}, nil
}

// subject is who is counted; false: nobody is. address is the client's, host:port.
func (q *quotas) subject(ctx context.Context, address string) (quota.Subject, bool) {
	c := caller.From(ctx)
	switch {
	case c != nil && c.ID != "":
		return quota.Subject{Kind: quota.Key, Tenant: c.Tenant, ID: c.ID, Tier: c.Tier}, true
	case c != nil:
		return quota.Subject{Kind: quota.Tenant, ID: c.Tenant, Tier: c.Tier}, true
	case !q.byAddress || address == "":
		return quota.Subject{}, false
	}
	return quota.Subject{Kind: quota.Address, ID: plainAddress(address)}, true
}

// plainAddress is the part of a client's address that is the client: of IPv6 the first 64 bits, as a household or a machine has all of them.
func plainAddress(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Masked().Addr().String()
		}
	}
	return a.String()
}

// metered asks for a place in the caller's quota, and runs the rest of the request under it. It comes after authentication and the scope of the route, and before
// anything of the body is read.
func (s *server) metered(c *gin.Context) {
	if s.quotas == nil || !counts(c.FullPath(), c.Request) {
		return
	}
	r := c.Request
	who, ok := s.quotas.subject(r.Context(), r.RemoteAddr)
	if !ok {
		return
	}
	p, err := s.quotas.Enter(r.Context(), who, r.ContentLength)
	if p == nil {
		return
	}
	defer p.Leave()
	h := c.Writer.Header()
	h["Ratelimit-Policy"], h["Ratelimit"] = p.RateLimit()
	if err != nil {
		s.fail(c, err)
		c.Abort()
		return
	}
	if limit, after := p.Would(); limit != "" {
		h.Set(headerWould, wouldRefuse(limit, after))
	}
	if waits(c.FullPath(), r) {
		p.Leave()
	}
	*r = *r.WithContext(p) // in place, as authentication does: a copy on the heap would cost more than the rest
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = p.Body(r.Body)
	}
	c.Next()
}

// wouldRefuse is the value of the header for a dry run.
func wouldRefuse(limit string, after time.Duration) string {
	return limit + "; retry-after=" + strconv.FormatInt(int64(math.Ceil(after.Seconds())), 10)
}

// counts reports whether a route counts as a request: those of the API do, but for what says how the gateway is and what is left of the quota.
func counts(route string, r *http.Request) bool {
	switch {
	case route == "/v1/quota", strings.HasPrefix(r.URL.Path, "/v2/health/"):
		return false
	}
	return strings.HasPrefix(route, "/v1/") || underKServe(route)
}

// waits reports whether a request stays for long without work, so that it does not count as one at a time.
func waits(route string, r *http.Request) bool {
	return r.Method == http.MethodGet && (route == "/v1/jobs/:id" || route == "/v1/jobs/:id/events" || route == "/v1/streams/:id" || strings.HasSuffix(route, "/ws"))
}
