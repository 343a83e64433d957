package auth

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"triton-gateway/internal/caller"
)

func TestTokens(t *testing.T) {
	clk, i := newClock(), newIssuer(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, other := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	pub, ed, _ := ed25519.GenerateKey(rand.Reader)
	i.publish(200, public("r", "RS256", &rsaKey.PublicKey), public("e", "", &ec.PublicKey), public("d", "EdDSA", pub), map[string]string{"kty": "oct", "k": "AAAA", "kid": "o"})
	a, _, _ := open(t, "keys:\n"+keyLine("web", "first", ""), i.with(clk))
	for id, token := range map[string]string{
		"r": sign(t, jwt.SigningMethodRS256, "r", rsaKey, claims(clk.Now(), nil)), "e": sign(t, jwt.SigningMethodES256, "e", ec, claims(clk.Now(), nil)),
		"d": sign(t, jwt.SigningMethodEdDSA, "d", ed, claims(clk.Now(), nil)),
	} {
		for range 2 { // the second time without a look at the signature
			c := who(t, a, bearer(token))
			if c.ID != "ann" || c.Tenant != "a" || c.Tier != "gold" || c.Scopes != caller.Infer|caller.Jobs || !c.Expires.Equal(clk.Now().Add(time.Hour)) {
				t.Errorf("%s: %+v", id, c)
			}
		}
	}
	who(t, a, bearer("first")) // keys go on beside tokens
	es := func(edit map[string]any) string {
		return sign(t, jwt.SigningMethodES256, "e", ec, claims(clk.Now(), edit))
	}
	for text, want := range map[string]Reason{
		es(map[string]any{"exp": clk.Now().Add(-time.Minute).Unix()}):                                 Expired,
		es(map[string]any{"exp": nil}):                                                                BadToken,
		es(map[string]any{"nbf": clk.Now().Add(time.Minute).Unix()}):                                  BadToken,
		es(map[string]any{"iss": "https://other.example"}):                                            BadToken,
		es(map[string]any{"iss": nil}):                                                                BadToken,
		es(map[string]any{"aud": "other"}):                                                            BadToken,
		es(map[string]any{"aud": nil}):                                                                BadToken,
		es(map[string]any{"tenant": nil}):                                                             BadClaims,
		es(map[string]any{"tenant": 7}):                                                               BadClaims,
		es(map[string]any{"tenant": "a b"}):                                                           BadClaims,
		es(map[string]any{"tier": []string{"x"}}):                                                     BadClaims,
		es(map[string]any{"sub": nil}):                                                                BadClaims,
		sign(t, jwt.SigningMethodES256, "e", other, claims(clk.Now(), nil)):                           BadToken,
		sign(t, jwt.SigningMethodES256, "", ec, claims(clk.Now(), nil)):                               BadToken, // of which key?
		sign(t, jwt.SigningMethodHS256, "e", []byte("secret"), claims(clk.Now(), nil)):                BadToken,
		sign(t, jwt.SigningMethodNone, "e", jwt.UnsafeAllowNoneSignatureType, claims(clk.Now(), nil)): BadToken,
		sign(t, jwt.SigningMethodRS512, "r", rsaKey, claims(clk.Now(), nil)):                          BadToken, // its key is for RS256
		sign(t, jwt.SigningMethodES256, "r", ec, claims(clk.Now(), nil)):                              BadToken,
		es(nil) + "x": BadToken, "eyJ..": BadToken, "eyJhbGciOiJFUzI1NiJ9.e30.": BadToken,
	} {
		if got := why(t, a, bearer(text)); got != want {
			t.Errorf("%s, not %s: %s", got, want, text)
		}
	}
	for edit, want := range map[string]caller.Scopes{"infer": caller.Infer, "": 0, "x y": 0, "admin jobs": caller.Admin | caller.Jobs} {
		if c := who(t, a, bearer(es(map[string]any{"scope": edit, "jti": edit}))); c.Scopes != want {
			t.Errorf("%q: %s", edit, c.Scopes)
		}
	}
	good := es(nil)
	who(t, a, bearer(good))
	clk.add(time.Hour + leeway - time.Second)
	who(t, a, bearer(good))
	clk.add(time.Second)
	if got := why(t, a, bearer(good)); got != Expired {
		t.Errorf("a token that was known once: %s", got)
	}
}

func TestNamesOfClaims(t *testing.T) {
	clk, i := newClock(), newIssuer(t)
	ec := ecKey(t, elliptic.P384())
	i.publish(200, public("e", "ES384", &ec.PublicKey))
	a, _, _ := open(t, "keys:\n"+keyLine("web", "first", ""), i.with(clk), func(c *Config) {
		c.TenantClaim, c.TierClaim, c.ScopesClaim = "https://x.example/org", "plan.name", "realm_access.roles"
	})
	c := who(t, a, bearer(sign(t, jwt.SigningMethodES384, "e", ec, claims(clk.Now(), map[string]any{"https://x.example/org": "o",
		"plan": map[string]any{"name": "pro"}, "realm_access": map[string]any{"roles": []any{"infer", 7, "offline"}}}))))
	if c.Tenant != "o" || c.Tier != "pro" || c.Scopes != caller.Infer {
		t.Errorf("%+v", c)
	}
}

// A token by a new key has the keys fetched, once in a while; when the issuer is away, or has nothing that can be used, the known ones go on.
func TestKeysOfTheIssuerChange(t *testing.T) {
	clk, i := newClock(), newIssuer(t)
	one, two := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	i.publish(200, public("1", "", &one.PublicKey))
	a, _, _ := open(t, "keys:\n"+keyLine("web", "first", ""), i.with(clk))
	first := sign(t, jwt.SigningMethodES256, "1", one, claims(clk.Now(), nil))
	second := sign(t, jwt.SigningMethodES256, "2", two, claims(clk.Now(), nil))
	who(t, a, bearer(first))
	i.publish(200, public("1", "", &one.PublicKey), public("2", "", &two.PublicKey))
	if got := why(t, a, bearer(second)); got != BadToken || i.asked.Load() != 1 {
		t.Errorf("%s after %d fetches: a moment after one there is no other", got, i.asked.Load())
	}
	if _, err := a.Known(bearer(second)); err != ErrUnsure { //nolint:errorlint // it is given as it is
		t.Error(err)
	}
	clk.add(rest)
	who(t, a, bearer(second))
	if i.asked.Load() != 2 {
		t.Errorf("%d fetches", i.asked.Load())
	}
	for _, away := range []func(){func() { i.publish(500) }, func() { i.publish(200) }} {
		away()
		clk.add(rest)
		why(t, a, bearer(sign(t, jwt.SigningMethodES256, "3", one, claims(clk.Now(), nil))))
		who(t, a, bearer(first))
		who(t, a, bearer(second))
	}
	i.publish(200, public("2", "", &two.PublicKey)) // the first is taken back: what it has signed is good no more, also what was seen
	clk.add(refetch)
	a.tokens.set.look(t.Context())
	if got := why(t, a, bearer(first)); got != BadToken {
		t.Error(got)
	}
	who(t, a, bearer(second))
	i.Close()
	clk.add(refetch)
	a.tokens.set.look(t.Context())
	who(t, a, bearer(second))
	if c := a.Counts(); c.Signings != 1 || c.Refused < 3 {
		t.Errorf("%+v", c)
	}
}

func TestKeysOfTheIssuerInAFile(t *testing.T) {
	clk := newClock()
	ec := ecKey(t, elliptic.P521())
	m := public("f", "ES512", &ec.PublicKey)
	path := filepath.Join(t.TempDir(), "set.json")
	write(t, path, fmt.Sprintf(`{"keys":[{"kty":"EC","kid":"f","crv":"P-521","x":%q,"y":%q}]}`, m["x"], m["y"]))
	a, err := New(t.Context(), Config{JWKS: "file://" + path, Issuer: "https://issuer.example", Audience: "gateway", Now: clk.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	token := sign(t, jwt.SigningMethodES512, "", ec, claims(clk.Now(), nil)) // the only key needs no name
	who(t, a, bearer(token))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	why(t, a, bearer(sign(t, jwt.SigningMethodES512, "g", ec, claims(clk.Now(), nil))))
	who(t, a, bearer(token))
}

func TestSetsThatAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err)
	}
	for text, want := range map[string]string{
		"": "no JSON", "[]": "no JSON", `{"keys":[]}`: "no key", `{"keys":[1]}`: "keys[0]", `{"keys":[{"kty":"RSA","n":"AA","e":"AQAB"}]}`: "bits",
		fmt.Sprintf(`{"keys":[{"kty":"RSA","n":%q,"e":"AQAB"}]}`, b64(weak.N.Bytes())):                                  "1024 bits",
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`:                                                       "32 bytes",
		`{"keys":[{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}]}`: "no point",
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`:                                                             "no Ed25519",
		`{"keys":[` + strings.Repeat(`{},`, mostSigners) + `{}]}`:                                                       "at most",
	} {
		if _, err := parseSet([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, not %s", text, err, want)
		}
	}
}
