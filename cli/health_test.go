package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthSaysWhyNot(t *testing.T) {
	status, body := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	for _, c := range []struct {
		status int
		body   string
		code   int
		out    string
	}{
		{200, `{"status":"ready"}`, 0, ""},
		{503, `{"code":"backend_unavailable","detail":"no Triton answers"}`, 1, "no Triton answers"},
		{502, "<html>a proxy", 1, "502 Bad Gateway"},
	} {
		status, body = c.status, c.body
		var b bytes.Buffer
		code := run(t.Context(), &Env{Args: []string{"health", "--url", server.URL + "/"}, Out: &b, Err: &b})
		if code != c.code || !strings.Contains(b.String(), c.out) || c.code == 0 && b.Len() > 0 {
			t.Errorf("%d: exit code %d, %q", c.status, code, b.String())
		}
	}
}
