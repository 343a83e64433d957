package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/watchfile"
)

const (
	maxSet      = 1 << 20 // bytes of a JWKS
	mostSigners = 200     // keys of one
	fetchTime   = 5 * time.Second
	// refetch is how often a JWKS is fetched without a reason; a key that its issuer has taken back is good for so long.
	refetch = 5 * time.Minute
	// rest is the least time between two fetches, whoever wants them: tokens with made-up keys cannot make the gateway a flood for the issuer.
	rest = 10 * time.Second
)

// signers are the keys of one JWKS. They do not change.
type signers struct {
	keys []signer
}

// signer is a key that tokens may be signed by.
type signer struct {
	id        string
	algorithm string // that it is for; "": any that fits it
	key       crypto.PublicKey
}

// jwks is a set of keys that is fetched from time to time. When its source is away, the keys that are known go on.
type jwks struct {
	from   string
	file   *watchfile.File // nil: it comes over the net
	client *http.Client
	now    func() time.Time
	log    *slog.Logger
	held   atomic.Pointer[signers] // never nil
	swap   func()                  // called when the keys are others

	mu   sync.Mutex // held by who fetches
	last time.Time  // of the last fetch, whatever came of it
	next time.Time  // when to fetch without a reason
	why  string     // the last fetch failed; told once

	taken, refused, fetches atomic.Uint64
}

// openSet reads a JWKS for the first time. One that cannot be had is no error, but a file with faults is.
func openSet(ctx context.Context, c Config, swap func()) (*jwks, error) {
	u, err := url.Parse(c.JWKS)
	if err != nil {
		return nil, errors.New("auth.jwks: it is no URL")
	}
	s := &jwks{from: u.Redacted(), client: c.Client, now: c.Now, log: c.Log, swap: swap}
	s.held.Store(&signers{})
	switch {
	case u.Scheme == "file" && u.Host == "" && u.Path != "":
		s.file = &watchfile.File{Path: u.Path, Most: maxSet}
		data, _, err := s.file.Read()
		if err == nil {
			err = s.take(data)
		}
		if err != nil {
			return nil, fmt.Errorf("auth.jwks: %w", err)
		}
		return s, nil
	case u.Scheme != "https" || u.Host == "":
		return nil, errors.New("auth.jwks: it is a URL such as https://issuer.example/keys or file:///etc/keys.json")
	}
	if s.client == nil {
		s.client = &http.Client{}
	}
	client := *s.client
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 3 {
			return errors.New("it leads to another address")
		}
		return nil
	}
	s.client, s.from = &client, c.JWKS
	s.refresh(ctx)
	return s, nil
}

// look does what has to be done from time to time.
func (s *jwks) look(ctx context.Context) {
	if s.file != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reread()
		return
	}
	s.mu.Lock()
	due := !s.now().Before(s.next)
	s.mu.Unlock()
	if due {
		s.refresh(ctx)
	}
}

// refresh has the keys fetched anew, unless that was done a moment ago. Who comes meanwhile waits for the same fetch.
func (s *jwks) refresh(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.file != nil {
		s.reread()
		return
	}
	if !s.last.IsZero() && now.Sub(s.last) < rest {
		return
	}
	s.fetches.Add(1)
	data, err := s.fetch(ctx)
	if err == nil {
		err = s.take(data)
	}
	s.last, s.next = s.now(), s.now().Add(refetch)
	if err != nil {
		s.next = s.last.Add(rest)
	}
	s.tell(err)
}

// reread takes the file if it has changed.
func (s *jwks) reread() {
	data, changed, err := s.file.Read()
	if !changed {
		return
	}
	if err == nil {
		err = s.take(data)
	}
	s.tell(err)
}

// tell logs and counts what came of a look at the source.
func (s *jwks) tell(err error) {
	if err == nil {
		s.why = ""
		return
	}
	s.refused.Add(1)
	if text := err.Error(); text != s.why {
		s.why = text
		s.log.Warn("the keys by which tokens are signed cannot be had; those that are known go on", "jwks", s.from, "known", len(s.held.Load().keys), "cause", text)
	}
}

// take puts a set in force.
func (s *jwks) take(data []byte) error {
	next, err := parseSet(data)
	if err != nil {
		return err
	}
	if next.same(s.held.Load()) {
		return nil
	}
	s.held.Store(next)
	s.swap()
	s.taken.Add(1)
	s.log.Info("the keys by which tokens are signed are in force", "jwks", s.from, "keys", len(next.keys))
	return nil
}

func (s *signers) same(other *signers) bool {
	if len(s.keys) != len(other.keys) {
		return false
	}
	for i, k := range s.keys {
		o := other.keys[i]
		equal, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
		if k.id != o.id || k.algorithm != o.algorithm || !ok || !equal.Equal(o.key) {
			return false
		}
	}
	return true
}

// fetch reads the set over the net.
func (s *jwks) fetch(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.from, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", strings.TrimSpace(answer.Status))
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxSet+1))
	if err == nil && len(data) > maxSet {
		err = fmt.Errorf("it is larger than %d bytes", maxSet)
	}
	return data, err
}
