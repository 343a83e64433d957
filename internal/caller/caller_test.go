package caller

import (
	"context"
	"testing"
)

func TestScopes(t *testing.T) {
	for text, want := range map[string]Scopes{"infer": Infer, "jobs": Jobs, "admin": Admin, "": 0, "Infer": 0, "all": 0} {
		if got := ParseScope(text); got != want {
			t.Errorf("%q is %d, not %d", text, got, want)
		}
	}
	both := Infer | Admin
	if both.String() != "infer admin" || Scopes(0).String() != "" || !both.Has(Admin) || both.Has(Infer|Jobs) {
		t.Errorf("%q", both.String())
	}
}

func TestContext(t *testing.T) {
	if From(t.Context()) != nil || TenantOf(t.Context()) != "" {
		t.Error("somebody calls where nobody was named")
	}
	c := &Caller{ID: "web", Tenant: "a"}
	ctx, cancel := context.WithCancel(With(t.Context(), c))
	defer cancel()
	if From(ctx) != c || TenantOf(ctx) != "a" {
		t.Errorf("%+v", From(ctx))
	}
}
