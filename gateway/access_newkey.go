package gateway

import (
	"fmt"
	"time"

	"triton-gateway/gateway/auth"
	"triton-gateway/internal/caller"
)

// NewKey makes a key and its line of the keys file. expires may be zero: never. The error says what is wrong with which.
func NewKey(id, tenant, tier string, scopes []string, expires time.Time) (key, line string, err error) {
	who := caller.Caller{ID: id, Tenant: tenant, Tier: tier, Expires: expires}
	for _, name := range scopes {
		one := caller.ParseScope(name)
		if one == 0 {
			return "", "", fmt.Errorf("scopes: %q is not one of infer, jobs and admin", name)
		}
		who.Scopes |= one
	}
	return auth.Mint(who)
}
