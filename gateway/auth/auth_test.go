package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

func TestKeys(t *testing.T) {
	clk := newClock()
	a, _, _ := open(t, "keys:\n"+
		fmt.Sprintf("- {id: web, sha256: %q, tenant: a, tier: premium, scopes: [infer, jobs], expires: 2026-11-01T13:00:00Z}\n", sumOf("first"))+
		fmt.Sprintf("- id: ops\n  sha256: %q\n  tenant: b\n  scopes:\n  - admin\n", strings.ToUpper(sumOf("second"))), func(c *Config) { c.Now = clk.Now })
	c := who(t, a, bearer("first"))
	want := caller.Caller{ID: "web", Tenant: "a", Tier: "premium", Scopes: caller.Infer | caller.Jobs, Expires: time.Date(2026, 11, 1, 13, 0, 0, 0, time.UTC)}
	if *c != want {
		t.Errorf("%+v", *c)
	}
	for name, p := range map[string]Presented{
		"X-API-Key":          {APIKey: []string{"second"}},
		"both, and the same": {APIKey: []string{"second"}, Authorization: []string{"bearer  second"}},
	} {
		if c := who(t, a, p); c.ID != "ops" || c.Tenant != "b" || c.Scopes != caller.Admin || !c.Expires.IsZero() {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for p, reason := range map[*Presented]Reason{
		{}: Missing,
		{Authorization: []string{"Bearer third"}}:                             Unknown,
		{Authorization: []string{"Bearer " + sumOf("first")}}:                 Unknown,
		{Authorization: []string{"Bearer eyJ.e30.x"}}:                         Unknown, // tokens are off
		{Authorization: []string{"Basic Zmlyc3Q="}}:                           Malformed,
		{Authorization: []string{"first"}}:                                    Malformed,
		{Authorization: []string{"Bearer "}}:                                  Malformed,
		{Authorization: []string{""}}:                                         Malformed,
		{APIKey: []string{""}}:                                                Malformed,
		{APIKey: []string{"a b"}}:                                             Malformed,
		{APIKey: []string{strings.Repeat("x", longest+1)}}:                    Malformed,
		{APIKey: []string{"first", "first"}}:                                  Malformed,
		{APIKey: []string{"first"}, Authorization: []string{"Bearer second"}}: Contradict,
		{APIKey: []string{"first"}, Authorization: []string{"Basic second"}}:  Malformed,
	} {
		if got := why(t, a, *p); got != reason {
			t.Errorf("%+v: %s, not %s", *p, got, reason)
		}
	}
	clk.add(time.Hour)
	if got := why(t, a, bearer("first")); got != Expired {
		t.Errorf("at the moment of its end: %s", got)
	}
}

func TestRefusalsAreUnauthenticatedAndShowNoKey(t *testing.T) {
	a, _, _ := open(t, "keys:\n"+keyLine("web", "first", ""))
	for _, p := range []Presented{bearer("sesame"), {APIKey: []string{"sesame open"}}, {APIKey: []string{"sesame"}, Authorization: []string{"Bearer sesameopen"}}} {
		_, err := a.Caller(t.Context(), p)
		if fault.KindOf(err) != fault.Unauthenticated || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%v", err)
		}
	}
}

func TestReload(t *testing.T) {
	a, path, log := open(t, "keys:\n"+keyLine("web", "first", ""))
	// Two keys of one caller, of which the old one ends: a rotation.
	write(t, path, "keys:\n"+keyLine("web", "first", ", expires: 2999-01-01T00:00:00Z")+keyLine("web", "second", ""))
	eventually(t, "the second key", func() bool { _, err := a.Known(bearer("second")); return err == nil })
	if c := who(t, a, bearer("first")); c.ID != "web" || c.Expires.IsZero() {
		t.Errorf("%+v", c)
	}
	write(t, path, "keys:\n- {id: web, sha256: 12}\n")
	eventually(t, "the refusal", func() bool { return a.Counts().Refused == 1 })
	who(t, a, bearer("second"))
	if text := log.String(); !strings.Contains(text, "line 2") || !strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
	write(t, path, "keys:\n"+keyLine("web", "second", ""))
	eventually(t, "the end of the first key", func() bool { _, err := a.Known(bearer("first")); return ReasonOf(err) == Unknown })
	who(t, a, bearer("second"))
	if c := a.Counts(); c != (Counts{Keys: 1, Reloads: 2, Refused: 1}) {
		t.Errorf("%+v", c)
	}
}

// While the file is replaced all the time, a key that is in all of them is never refused.
func TestRotationUnderLoad(t *testing.T) {
	a, path, _ := open(t, "keys:\n"+keyLine("web", "stays", ", expires: 2999-01-01T00:00:00Z")+keyLine("web", "k0", ""))
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := a.Caller(t.Context(), bearer("stays")); err != nil || c.ID != "web" {
					t.Errorf("%+v %v", c, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		write(t, path, "keys:\n"+keyLine("web", "stays", ", expires: 2999-01-01T00:00:00Z")+keyLine("web", fmt.Sprint("k", i+1), ""))
		eventually(t, "the next key", func() bool { _, err := a.Known(bearer(fmt.Sprint("k", i+1))); return err == nil })
	}
	close(stop)
	callers.Wait()
}

func TestCertificates(t *testing.T) {
	a, _, _ := open(t, "keys:\n- {id: edge, certificate: edge.example, tenant: a, scopes: [infer]}\n- {id: job, certificate: \"spiffe://x/job\", sha256: \""+sumOf("k")+"\", tenant: b, scopes: [jobs]}\n"+
		"- {id: old, certificate: old, tenant: c, scopes: [infer], expires: 2020-01-01T00:00:00Z}\n")
	spiffe, err := url.Parse("spiffe://x/job")
	if err != nil {
		t.Fatal(err)
	}
	common := func(name string) *x509.Certificate { return &x509.Certificate{Subject: pkix.Name{CommonName: name}} }
	for want, c := range map[string]*x509.Certificate{"edge": {DNSNames: []string{"other", "edge.example"}}, "job": {URIs: []*url.URL{spiffe}}} {
		if got := who(t, a, Presented{Certificate: c}); got.ID != want {
			t.Errorf("%s, not %s", got.ID, want)
		}
	}
	both := common("edge.example")
	both.URIs = []*url.URL{spiffe}
	same := common("edge.example")
	same.DNSNames = []string{"edge.example"}
	who(t, a, Presented{Certificate: same})
	for c, reason := range map[*x509.Certificate]Reason{common("nobody"): Nobody, both: Ambiguous, common("old"): Expired, common(""): Nobody} {
		if got := why(t, a, Presented{Certificate: c}); got != reason {
			t.Errorf("%+v: %s, not %s", c.Subject, got, reason)
		}
	}
	// A key says more than the certificate of the machine that brings it, and a wrong one is not made good by it.
	if c := who(t, a, Presented{Certificate: same, APIKey: []string{"k"}}); c.ID != "job" {
		t.Errorf("%+v", c)
	}
	if got := why(t, a, Presented{Certificate: same, APIKey: []string{"x"}}); got != Unknown {
		t.Error(got)
	}
}

func TestNothingToKnowBy(t *testing.T) {
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("nobody could ever come in")
	}
	for _, c := range []Config{{KeysFile: t.TempDir() + "/none"}, {KeysFile: t.TempDir()}, {JWKS: "https://x/y"}, {JWKS: "https://x/y", Issuer: "i"},
		{JWKS: "http://x/y", Issuer: "i", Audience: "a"}, {JWKS: "file:///none", Issuer: "i", Audience: "a"}, {JWKS: "file://host/none", Issuer: "i", Audience: "a"}, {JWKS: "%", Issuer: "i", Audience: "a"}} {
		if a, err := New(t.Context(), c); err == nil {
			_ = a.Close()
			t.Errorf("%+v is taken", c)
		}
	}
}

func BenchmarkKnownKey(b *testing.B) {
	var text strings.Builder
	text.WriteString("keys:\n")
	for i := range 1000 {
		text.WriteString(keyLine(fmt.Sprint("k", i), fmt.Sprint("tgk_0123456789012345678901234567890123456789", i), ""))
	}
	a, _, _ := open(b, text.String(), func(c *Config) { c.Every = time.Hour })
	p := bearer("tgk_0123456789012345678901234567890123456789500")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Known(p); err != nil {
			b.Fatal(err)
		}
	}
}

func TestKnownKeyAllocatesNothing(t *testing.T) {
	a, _, _ := open(t, "keys:\n"+keyLine("web", "tgk_0123456789012345678901234567890123456789", ""))
	p := bearer("tgk_0123456789012345678901234567890123456789")
	if n := testing.AllocsPerRun(100, func() { _, _ = a.Known(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
