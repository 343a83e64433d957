package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"triton-gateway/internal/caller"
)

// clock is a time that the test sets.
type clock struct{ now atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.set(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	return c
}
func (c *clock) set(t time.Time)     { c.now.Store(&t) }
func (c *clock) Now() time.Time      { return *c.now.Load() }
func (c *clock) add(d time.Duration) { c.set(c.Now().Add(d)) }

// locked is a log that goroutines may write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *locked) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// sumOf is the digest of a key as keys.yaml has it.
func sumOf(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

// keyLine is an entry of keys.yaml.
func keyLine(id, key, more string) string {
	return fmt.Sprintf("- {id: %s, sha256: \"%s\", tenant: a, scopes: [infer]%s}\n", id, sumOf(key), more)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// open makes an Auth on a keys file with this text.
func open(t testing.TB, text string, edit ...func(*Config)) (a *Auth, path string, log *locked) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), "keys.yaml"), &locked{}
	write(t, path, text)
	c := Config{KeysFile: path, Log: slog.New(slog.NewTextHandler(log, nil)), Every: 5 * time.Millisecond}
	for _, e := range edit {
		e(&c)
	}
	a, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a, path, log
}

// bearer is what a request with a key shows.
func bearer(key string) Presented { return Presented{Authorization: []string{"Bearer " + key}} }

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("%s did not come about", what)
		}
	}
}

// who asks and wants a caller.
func who(t testing.TB, a *Auth, p Presented) *caller.Caller {
	t.Helper()
	c, err := a.Caller(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// why asks and wants a refusal.
func why(t testing.TB, a *Auth, p Presented) Reason {
	t.Helper()
	c, err := a.Caller(t.Context(), p)
	if err == nil {
		t.Fatalf("%+v was let in", c)
	}
	return ReasonOf(err)
}

// issuer signs tokens and serves its keys.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	keys   []map[string]string
	status int
	asked  atomic.Int64
}

func newIssuer(t testing.TB) *issuer {
	i := &issuer{status: http.StatusOK}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		w.WriteHeader(i.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": i.keys})
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(status int, keys ...map[string]string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys, i.status = keys, status
}

// with makes the settings for an issuer's tokens.
func (i *issuer) with(c *clock) func(*Config) {
	return func(o *Config) {
		o.JWKS, o.Issuer, o.Audience, o.Client, o.Now = i.URL, "https://issuer.example", "gateway", i.Client(), c.Now
		o.Every = time.Hour // the test turns the clock
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// public is the JWK of a key.
func public(id, algorithm string, key crypto.PublicKey) map[string]string {
	m := map[string]string{"kid": id, "use": "sig"}
	if algorithm != "" {
		m["alg"] = algorithm
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		raw, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(raw) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Curve.Params().Name, b64(raw[1:1+half]), b64(raw[1+half:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	}
	return m
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// claims are those of a good token, changed by edit; nil takes a claim out.
func claims(now time.Time, edit map[string]any) jwt.MapClaims {
	m := jwt.MapClaims{"iss": "https://issuer.example", "aud": []string{"other", "gateway"}, "sub": "ann", "tenant": "a", "tier": "gold", "scope": "openid infer jobs",
		"exp": now.Add(time.Hour).Unix(), "nbf": now.Unix()}
	for k, v := range edit {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

// sign makes a token.
func sign(t testing.TB, m jwt.SigningMethod, id string, key any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, c)
	if id != "" {
		token.Header["kid"] = id
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
