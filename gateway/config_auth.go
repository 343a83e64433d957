package gateway

import (
	"context"
	"strings"

	"triton-gateway/gateway/auth"
)

// Auth says how callers are known. Without keys_file and jwks nobody is asked who they are.
type Auth struct {
	KeysFile string `yaml:"keys_file" json:"keys_file,omitempty" env:"KEYS_FILE" jsonschema_description:"File with the keys of callers, as docs/guide/auth.md describes it; read again when it changes. Empty: there are no keys."`
	JWKS     string `yaml:"jwks" json:"jwks,omitempty" env:"JWKS" jsonschema_description:"https:// or file:// URL of the keys by which an identity provider signs tokens (JWT). Empty: no tokens are taken."`
	Issuer   string `yaml:"issuer" json:"issuer,omitempty" env:"ISSUER" jsonschema_description:"What the claim iss of a token has to be; needed with jwks."`
	Audience string `yaml:"audience" json:"audience,omitempty" env:"AUDIENCE" jsonschema_description:"What the claim aud of a token has to hold; needed with jwks."`

	TenantClaim string `yaml:"tenant_claim" json:"tenant_claim,omitempty" env:"TENANT_CLAIM" jsonschema_description:"Claim of a token with the caller's tenant; a token without it is refused. Default tenant."`
	TierClaim   string `yaml:"tier_claim" json:"tier_claim,omitempty" env:"TIER_CLAIM" jsonschema_description:"Claim of a token with the caller's tier. Default tier."`
	ScopesClaim string `yaml:"scopes_claim" json:"scopes_claim,omitempty" env:"SCOPES_CLAIM" jsonschema_description:"Claim of a token with scopes, as text with blanks between them or as a list; a dot leads into an object, as in realm_access.roles. Default scope."`
}

// On reports whether callers have to say who they are.
func (a *Auth) On() bool { return a.KeysFile != "" || a.JWKS != "" }

// check is the section's part of Config.Validate.
func (a *Auth) check() (faults []error) {
	tokens := a.JWKS != ""
	if tokens && !strings.HasPrefix(a.JWKS, "https://") && !strings.HasPrefix(a.JWKS, "file:///") {
		faults = append(faults, bad("auth.jwks: it is a URL such as https://issuer.example/keys or file:///etc/keys.json"))
	}
	for _, v := range []struct{ key, value string }{{"issuer", a.Issuer}, {"audience", a.Audience}} {
		if tokens && v.value == "" {
			faults = append(faults, bad("auth.%s: is missing; with auth.jwks alone, tokens for other services would be taken", v.key))
		}
	}
	for _, v := range []struct{ key, value string }{{"issuer", a.Issuer}, {"audience", a.Audience}, {"tenant_claim", a.TenantClaim}, {"tier_claim", a.TierClaim}, {"scopes_claim", a.ScopesClaim}} {
		if !tokens && v.value != "" {
			faults = append(faults, bad("auth.%s: is about tokens, and auth.jwks does not say where their keys are", v.key))
		}
	}
	return faults
}

// openAuth reads who may call; the gate is nil where nobody is asked.
func (g *Gateway) openAuth(ctx context.Context, counts *metrics) (*gate, error) {
	c := &g.config.Auth
	if !c.On() {
		return nil, nil //nolint:nilnil // there is none
	}
	a, err := auth.New(ctx, auth.Config{KeysFile: c.KeysFile, JWKS: c.JWKS, Issuer: c.Issuer, Audience: c.Audience,
		TenantClaim: c.TenantClaim, TierClaim: c.TierClaim, ScopesClaim: c.ScopesClaim, Log: g.log})
	if err != nil {
		return nil, err
	}
	g.onClose(a.Close)
	counts.registry.MustRegister(authReadings(a.Counts))
	return &gate{callers: a, refused: counts.refused}, nil
}

// authReadings are the figures of who is known.
func authReadings(counts func() auth.Counts) readings {
	return func() []reading {
		c := counts()
		return []reading{
			{"gateway_auth_keys", "Keys in force: of the keys file, expired ones included, and of the issuer of tokens.", []string{"kind"}, false,
				[]labelled{{float64(c.Keys), []string{"caller"}}, {float64(c.Signings), []string{"issuer"}}}},
			{"gateway_auth_reloads_total", "Changes of the keys file and of the issuer's keys: taken, or refused because they had faults, or could not be read; then those before go on.", []string{"result"}, true,
				[]labelled{{float64(c.Reloads), []string{"taken"}}, {float64(c.Refused), []string{"refused"}}}},
		}
	}
}
