// Package auth finds out who calls: by API keys of a file, by tokens of an identity provider, or by client certificates. It knows no routes and no statuses; who may
// do what is decided by those who ask. It exists so that REST, KServe v2 and gRPC know a caller in the same way, at the same price.
package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"triton-gateway/internal/caller"
)

// Config says how callers are known. The zero value is not useful: one of KeysFile and JWKS is needed.
type Config struct {
	KeysFile string // path of keys.yaml; "": there are no keys
	JWKS     string // https:// or file:// URL of the issuer's keys; "": there are no tokens
	Issuer   string // what a token's iss has to be; needed with JWKS
	Audience string // what a token's aud has to hold; needed with JWKS
	// Names of the claims of a token. "": tenant, tier and scope.
	TenantClaim, TierClaim, ScopesClaim string

	Log    *slog.Logger     // nil: slog.Default
	Now    func() time.Time // nil: time.Now
	Client *http.Client     // for JWKS; nil: one with the system's authorities
	Every  time.Duration    // how often files are looked at; 0: a second
}

// Presented is what a request shows of who calls. Nothing of it is kept.
type Presented struct {
	Authorization []string // values of the header
	APIKey        []string // values of X-API-Key
	// Certificate is the client's, verified against the authorities of the listener; nil: none.
	Certificate *x509.Certificate
}

// Counts are figures of an Auth since its start.
type Counts struct {
	Keys     int    // in force, expired ones included
	Reloads  uint64 // of the keys file and the JWKS that were taken
	Refused  uint64 // of them that were not: the ones before stay in force
	Fetches  uint64 // of the JWKS over the net
	Signings int    // keys of the JWKS in force
}

// Auth knows callers. It is safe for concurrent use.
type Auth struct {
	keys   *keyring // nil: none
	tokens *tokens  // nil: none
	now    func() time.Time
	stop   context.CancelFunc
	ended  chan struct{}
}

// New reads what the settings name, and looks for changes until Close. A keys file with faults is an error that lists all of them, with their lines. A JWKS that
// cannot be had is none: it is asked for again.
func New(ctx context.Context, c Config) (*Auth, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.KeysFile == "" && c.JWKS == "" {
		return nil, errors.New("auth: neither a keys file nor a JWKS is named")
	}
	a := &Auth{now: c.Now, ended: make(chan struct{})}
	var err error
	if c.KeysFile != "" {
		if a.keys, err = openKeys(c.KeysFile, c.Log); err != nil {
			return nil, err
		}
	}
	if c.JWKS != "" {
		if a.tokens, err = openTokens(ctx, c); err != nil {
			return nil, err
		}
	}
	ctx, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	go a.watch(ctx, c.Every)
	return a, nil
}

// Close ends the looking for changes. Callers are known as before.
func (a *Auth) Close() error {
	a.stop()
	<-a.ended
	return nil
}

// watch looks for changes of the files and the JWKS.
func (a *Auth) watch(ctx context.Context, every time.Duration) {
	defer close(a.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if a.keys != nil {
			a.keys.look()
		}
		if a.tokens != nil {
			a.tokens.set.look(ctx)
		}
	}
}

// Counts gives the figures.
func (a *Auth) Counts() (c Counts) {
	if a.keys != nil {
		c.Keys = a.keys.held.Load().count
		c.Reloads, c.Refused = a.keys.taken.Load(), a.keys.refused.Load()
	}
	if a.tokens != nil {
		s := a.tokens.set
		c.Signings = len(s.held.Load().keys)
		c.Reloads, c.Refused, c.Fetches = c.Reloads+s.taken.Load(), c.Refused+s.refused.Load(), s.fetches.Load()
	}
	return c
}

// Caller finds who calls. It may wait for the JWKS, once, where a token is signed by a key that is not known yet. Errors are Unauthenticated, and ReasonOf tells why.
func (a *Auth) Caller(ctx context.Context, p Presented) (*caller.Caller, error) {
	c, err := a.Known(p)
	if !errors.Is(err, ErrUnsure) {
		return c, err
	}
	a.tokens.set.refresh(context.WithoutCancel(ctx)) // others may wait for it
	if c, err = a.Known(p); errors.Is(err, ErrUnsure) {
		return nil, refuse(BadToken, "the token is signed by a key that its issuer does not name")
	}
	return c, err
}

// ErrUnsure is Known's error where only a look at the JWKS can tell.
var ErrUnsure = errors.New("auth: the key of the token's signature is not known yet")

// Known is Caller without any waiting. Where Caller would wait, the error is ErrUnsure.
func (a *Auth) Known(p Presented) (*caller.Caller, error) {
	secret, err := credential(p)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		if a.keys != nil && p.Certificate != nil {
			return a.keys.certified(p.Certificate, a.now())
		}
		return nil, refuse(Missing, "no key was sent; send one as Authorization: Bearer KEY or X-API-Key: KEY")
	}
	sum := digest(secret)
	if a.keys != nil {
		if e := a.keys.held.Load().find(&sum); e != nil {
			return e.at(a.now())
		}
	}
	if a.tokens != nil && isToken(secret) {
		return a.tokens.known(secret, &sum)
	}
	return nil, refuse(Unknown, "the key is not known here")
}
