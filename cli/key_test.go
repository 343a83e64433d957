package cli

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestKeyNew(t *testing.T) {
	var out, errs bytes.Buffer
	e := &Env{Args: []string{"key", "new", "--id", "web", "--tenant", "a", "--scopes", "infer,jobs", "--expires", "2030-01-02T03:04:05Z"}, Out: &out, Err: &errs}
	if code := run(t.Context(), e); code != 0 {
		t.Fatalf("%d %s", code, errs.String())
	}
	key := regexp.MustCompile(`tgk_[A-Za-z0-9_-]{43}`).FindString(errs.String())
	want := fmt.Sprintf("  - {id: \"web\", sha256: \"%x\", tenant: \"a\", scopes: [infer, jobs], expires: 2030-01-02T03:04:05Z}\n", sha256.Sum256([]byte(key)))
	if out.String() != want || key == "" {
		t.Errorf("%q of %q, not %q", out.String(), key, want)
	}
	for _, args := range []string{"--id web --tenant a --scopes all", "--id web --tenant a", "--id web --scopes infer"} {
		if code := run(t.Context(), &Env{Args: append([]string{"key", "new"}, strings.Fields(args)...), Out: io.Discard, Err: io.Discard}); code != 2 {
			t.Errorf("%s: %d", args, code)
		}
	}
}

func TestKeysAreSent(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("X-API-Key"))
		_, _ = io.WriteString(w, `{"models":[],"jobs":[]}`)
	}))
	defer server.Close()
	for _, c := range []struct {
		args    string
		environ []string
		want    string
	}{
		{"models --key one", nil, "one"}, {"models", []string{"TRITON_GATEWAY_KEY=two"}, "two"}, {"models --key one", []string{"TRITON_GATEWAY_KEY=two"}, "one"},
		{"jobs ls --key one", nil, "one"}, {"jobs ls", []string{"TRITON_GATEWAY_KEY=two"}, "two"}, {"jobs ls", nil, ""},
		{"routes ls --key one", nil, "one"}, {"canary show r", []string{"TRITON_GATEWAY_KEY=two"}, "two"}, {"switch m 2", []string{"TRITON_GATEWAY_KEY=two"}, "two"},
	} {
		e := &Env{Args: append(strings.Fields(c.args), "--url", server.URL), Environ: c.environ, Out: io.Discard, Err: io.Discard}
		if code := run(t.Context(), e); code != 0 || got[len(got)-1] != c.want {
			t.Errorf("%s: %d, sent %q", c.args, code, got)
		}
	}
}
