package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"triton-gateway/internal/caller"
)

// leeway is how far the clocks of the issuer and of this machine may differ.
const leeway = 30 * time.Second

// tokens knows callers by tokens of an issuer: JWTs by RFC 7519, signed by a key of its JWKS.
type tokens struct {
	set    *jwks
	parser *jwt.Parser
	claims claimNames
	seen   verdicts
	now    func() time.Time
}

func openTokens(ctx context.Context, c Config) (*tokens, error) {
	if c.Issuer == "" || c.Audience == "" {
		return nil, errors.New("auth.jwks needs auth.issuer and auth.audience: tokens for others would be taken otherwise")
	}
	t := &tokens{now: c.Now, claims: namesOfClaims(c), parser: jwt.NewParser(
		jwt.WithValidMethods(methods()), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience), jwt.WithExpirationRequired(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(c.Now), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
	)}
	var err error
	t.set, err = openSet(ctx, c, t.seen.forget)
	return t, err
}

// methods are the algorithms that are taken: those whose verifying key is public. With others, such as HS256, who knows the JWKS could sign.
func methods() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// isToken reports whether a secret has the form of a signed token.
func isToken(secret string) bool {
	return strings.HasPrefix(secret, "eyJ") && strings.Count(secret, ".") == 2
}

// known finds who a token is of. ErrUnsure: only a look at the JWKS can tell.
func (t *tokens) known(token string, sum *[sha256.Size]byte) (*caller.Caller, error) {
	now := t.now()
	if c := t.seen.get(sum); c != nil {
		if now.Before(c.Expires.Add(leeway)) {
			return c, nil
		}
		return nil, expiredToken()
	}
	before := t.seen.round()
	claims := jwt.MapClaims{}
	_, err := t.parser.ParseWithClaims(token, claims, t.keyOf)
	switch {
	case errors.Is(err, ErrUnsure):
		return nil, ErrUnsure
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, expiredToken()
	case err != nil:
		return nil, refuse(BadToken, "%s", wordsFor(err))
	}
	c, err := t.claims.read(claims)
	if err != nil {
		return nil, err
	}
	t.seen.put(sum, c, before)
	return c, nil
}

func expiredToken() error {
	return refuse(Expired, "the token has expired; ask its issuer for another one")
}

// wordsFor says what is wrong with a token without showing anything of it.
func wordsFor(err error) string {
	for _, w := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenInvalidAudience, "the token is for another audience than auth.audience"},
		{jwt.ErrTokenInvalidIssuer, "the token is of another issuer than auth.issuer"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks one of exp, iss and aud"},
		{errForeign, "the token is signed in a way that is not taken here"},
		{jwt.ErrTokenSignatureInvalid, "the signature of the token is wrong, or its algorithm is not taken"},
	} {
		if errors.Is(err, w.is) {
			return w.text
		}
	}
	return "the token cannot be read"
}

// errForeign is a token whose header cannot belong to a key of the set.
var errForeign = errors.New("auth: algorithm and key do not fit")

// keyOf finds the key that a token says it is signed by.
func (t *tokens) keyOf(token *jwt.Token) (any, error) {
	if _, has := token.Header["crit"]; has { // extensions that have to be understood, RFC 7515, 4.1.11; none are
		return nil, errForeign
	}
	id, named := token.Header["kid"].(string)
	if _, has := token.Header["kid"]; has && !named {
		return nil, errForeign
	}
	held := t.set.held.Load().keys
	if !named && len(held) > 1 {
		return nil, errForeign // it could be any
	}
	for _, s := range held {
		if named && s.id != id {
			continue
		}
		if s.algorithm != "" && s.algorithm != token.Method.Alg() || !fits(s.key, token.Method.Alg()) {
			return nil, errForeign
		}
		return s.key, nil
	}
	return nil, ErrUnsure
}

// fits reports whether a key is one of the algorithm's: of elliptic curves each has its own.
func fits(key crypto.PublicKey, algorithm string) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return algorithm[:2] == "RS" || algorithm[:2] == "PS"
	case *ecdsa.PublicKey:
		return algorithm == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}
