package auth

import (
	"cmp"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"triton-gateway/internal/caller"
)

// claimNames are the names of the claims that say whose a token is.
type claimNames struct{ tenant, tier, scopes string }

func namesOfClaims(c Config) claimNames {
	return claimNames{cmp.Or(c.TenantClaim, "tenant"), cmp.Or(c.TierClaim, "tier"), cmp.Or(c.ScopesClaim, "scope")}
}

// read makes a caller of the claims of a token that was checked. One without a tenant is refused: made-up tenants could be those of others.
func (n claimNames) read(claims jwt.MapClaims) (*caller.Caller, error) {
	c := &caller.Caller{}
	var ok bool
	if c.ID, ok = claims["sub"].(string); !ok || !name(c.ID) {
		return nil, refuse(BadClaims, "the token has no sub of 1 to %d visible ASCII characters", maxName)
	}
	if c.Tenant, ok = n.find(claims, n.tenant).(string); !ok || !name(c.Tenant) {
		return nil, refuse(BadClaims, "the token has no claim %s of 1 to %d visible ASCII characters (auth.tenant_claim)", n.tenant, maxName)
	}
	if tier := n.find(claims, n.tier); tier != nil {
		if c.Tier, ok = tier.(string); !ok || c.Tier != "" && !name(c.Tier) {
			return nil, refuse(BadClaims, "the claim %s of the token is no text of 1 to %d visible ASCII characters (auth.tier_claim)", n.tier, maxName)
		}
	}
	c.Scopes = scopesOf(n.find(claims, n.scopes))
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil {
		return nil, refuse(BadToken, "the token has no exp")
	}
	c.Expires = expires.Time
	return c, nil
}

// find gives a claim by its name, or by the names of the objects that it is in, with dots between them: realm_access.roles.
func (claimNames) find(claims map[string]any, path string) any {
	if v, has := claims[path]; has {
		return v
	}
	for head, rest, more := strings.Cut(path, "."); more; head, rest, more = strings.Cut(rest, ".") {
		inner, ok := claims[head].(map[string]any)
		if !ok {
			return nil
		}
		if v, has := inner[rest]; has {
			return v
		}
		claims = inner
	}
	return nil
}

// scopesOf reads scopes as OAuth writes them, with blanks between them, or as a list. Those of other services are passed over.
func scopesOf(v any) (all caller.Scopes) {
	switch v := v.(type) {
	case string:
		for word := range strings.FieldsSeq(v) {
			all |= caller.ParseScope(word)
		}
	case []any:
		for _, item := range v {
			if word, ok := item.(string); ok {
				all |= caller.ParseScope(word)
			}
		}
	}
	return all
}
