// Package caller says on whose behalf a request runs. It is below everything that asks: the transports put a Caller into a request's context once they know who calls, and
// limits, caches, jobs and logs read it there.
package caller

import (
	"context"
	"strings"
	"time"
)

// Scopes are what a caller may do, as a set.
type Scopes uint8

// The scopes by their names in keys and tokens.
const (
	Infer Scopes = 1 << iota // "infer": ask models, see them and their statistics
	Jobs                     // "jobs": hand in, see and end jobs of the own tenant
	Admin                    // "admin": everything that operators do
)

// Has reports whether all of want are there.
func (s Scopes) Has(want Scopes) bool { return s&want == want }

// String lists the names, separated by blanks, as OAuth does.
func (s Scopes) String() string {
	var names []string
	for _, n := range scopeNames {
		if s.Has(n.scope) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, " ")
}

// ParseScope gives the scope of a name; 0 for a name that is none.
func ParseScope(name string) Scopes {
	for _, n := range scopeNames {
		if n.name == name {
			return n.scope
		}
	}
	return 0
}

var scopeNames = [...]struct {
	name  string
	scope Scopes
}{{"infer", Infer}, {"jobs", Jobs}, {"admin", Admin}}

// Caller is who calls. It is shared by all requests of a key and must not be changed.
type Caller struct {
	ID      string // of the key, or the subject of a token; never the secret
	Tenant  string // whose jobs, answers and statistics are seen
	Tier    string // names the limits; may be ""
	Scopes  Scopes
	Expires time.Time // zero: never
}

type key struct{}

// With gives a context in which From finds c.
func With(ctx context.Context, c *Caller) context.Context { return context.WithValue(ctx, key{}, c) }

// From is who calls; nil where authentication is off, which means that everybody may do everything.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(key{}).(*Caller)
	return c
}

// TenantOf is the tenant of a context; "" where authentication is off.
func TenantOf(ctx context.Context) string {
	if c := From(ctx); c != nil {
		return c.Tenant
	}
	return ""
}
