package pemfile

import (
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuthorities(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := server.Certificate()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := Authorities(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(pool.Subjects()[0]), certificate.Subject.Organization[0]) { //nolint:staticcheck // the pool is none of the system
		t.Error("another certificate was read")
	}
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Authorities(path); err == nil || err.Error() != path+" holds no PEM certificate" {
		t.Errorf("got %v", err)
	}
	if _, err := Authorities(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
