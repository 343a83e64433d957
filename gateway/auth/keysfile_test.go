package auth

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/caller"
)

func TestFaultsOfTheFileAreToldAtOnce(t *testing.T) {
	_, err := parseKeys([]byte("keys:\n- {id: web, sha256: zz, tenant: a, scopes: [infer]}\n- {id: 'a b', tenant: a, scopes: [all], colour: red}\n- 7\n- {sha256: \"" + sumOf("k") + "\", expires: tomorrow}\n"))
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"line 2: sha256", "line 3: id", "line 3: scopes", "line 3: there is no member", "line 3: sha256 is missing", "line 4: a key is", "line 5: expires", "line 5: id is missing", "line 5: tenant is missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	one := keyLine("web", "k", "")
	for text, want := range map[string]string{
		"": "no list", "keys: 7": "is a list", "other: []": "one member", "keys: []\nmore: 1": "one member", "[]": "one member", "keys:\n- {id: a": "line", "\xff": "UTF-8",
		"keys:\n" + strings.Repeat("[", 20): "deeply", "keys:\n- - - - - - - - - - a": "deeply", "---\nkeys: []\n---\nkeys: []": "several documents",
		"keys:\n" + one + one:                                  "line 3: sha256: the same key as in line 2",
		"keys:\n" + one + keyLine("web", "other", ""):          "line 3: id: \"web\" is in line 2 already; to replace",
		"keys:\n" + one + keyLine("web", "other", ", tier: x"): "another tenant, tier or scopes",
		"keys:\n- {id: a, certificate: c, tenant: a, scopes: [infer]}\n- {id: b, certificate: c, tenant: a, scopes: [infer]}": "line 3: certificate",
		"keys:\n" + keyLine("web", "", ""):                            "the digest of nothing",
		"keys:\n- {id: a, sha256: &x k, tenant: *x, scopes: [infer]}": "line 2",
		strings.Repeat(" ", maxFile+1):                                "larger",
	} {
		if _, err := parseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, not %s", text, err, want)
		}
	}
	if _, err := parseKeys([]byte("keys: []")); err != nil {
		t.Errorf("nobody may come in yet: %v", err)
	}
}

func TestMint(t *testing.T) {
	for _, c := range []caller.Caller{{ID: "web", Tenant: "a", Scopes: caller.Infer}, {ID: "true", Tenant: "1e3", Tier: "~", Scopes: caller.Infer | caller.Admin, Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}} {
		key, line, err := Mint(c)
		if err != nil || len(key) != 47 || strings.Contains(line, key) {
			t.Fatalf("%s %s %v", key, line, err)
		}
		k, err := parseKeys([]byte("keys:\n  " + line))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(key))
		if e := k.find(&sum); e == nil || e.who != c {
			t.Errorf("%+v of %s", e, line)
		}
	}
	for _, c := range []caller.Caller{{Tenant: "a", Scopes: 1}, {ID: "a", Scopes: 1}, {ID: "a", Tenant: "a"}, {ID: "a b", Tenant: "a", Scopes: 1}} {
		if _, _, err := Mint(c); err == nil {
			t.Errorf("%+v", c)
		}
	}
}

func FuzzKeysFile(f *testing.F) {
	for _, text := range []string{"", "keys: []", "keys:\n" + keyLine("web", "k", ""), "keys:\n- {id: a, certificate: c, tenant: t, tier: x, scopes: [infer, jobs], expires: 2030-01-01T00:00:00Z}", "keys: [[[", "keys:\n- &a {id: *a}", "? keys\n: - a"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parseKeys(data)
		if err != nil {
			return
		}
		for _, list := range k.byHead {
			for _, e := range list {
				if !name(e.who.ID) || !name(e.who.Tenant) || e.who.Scopes == 0 || k.find(&e.sum) != e {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}

func FuzzCredential(f *testing.F) {
	for _, h := range []string{"", "Bearer x", "bearer  x", "Bearer", "Bearer \x00", "Basic x", "BEARER x y", "Bearerx"} {
		f.Add(h, "x")
	}
	f.Fuzz(func(t *testing.T, header, key string) {
		s, err := credential(Presented{Authorization: []string{header}, APIKey: []string{key}})
		if err == nil && (!secretText(s) || s != key || !strings.HasSuffix(header, s) || !strings.EqualFold(header[:7], "bearer ")) {
			t.Errorf("%q and %q give %q", header, key, s)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"` + b64(make([]byte, 32)) + `"},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseSet(data); err == nil && len(s.keys) == 0 {
			t.Error("a set without keys")
		}
	})
}
