package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for _, c := range []struct {
		text string
		code int
		out  string
	}{
		{"", 0, "0 lines hang together"},
		{"{}\n", 1, "audit.jsonl: line 1: it does not end in a hash"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		code := run(t.Context(), &Env{Args: []string{"audit", "verify", path}, Out: &b, Err: &b})
		if code != c.code || !strings.Contains(b.String(), c.out) {
			t.Errorf("%q: exit code %d, %q", c.text, code, b.String())
		}
	}
}
