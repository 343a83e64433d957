package cli

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/certtest"
)

// An https gateway that asks for a certificate is reached with the flags alone.
func TestCommandsSpeakTLS(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "me" {
			t.Errorf("the gateway is shown %v", r.TLS.PeerCertificates)
		}
		_, _ = w.Write([]byte(`{"models":[],"jobs":[],"status":"ready"}`))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Server(t, "server", time.Hour).TLS(t)}, ClientCAs: ca.Pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	roots := certtest.Write(t, folder, "ca.pem", ca.PEM)
	me := ca.Client(t, "me", time.Hour)
	cert, key := me.Write(t, folder, "me")
	both := certtest.Write(t, folder, "both.pem", append(me.Cert, me.Key...))
	_, wrong := ca.Client(t, "other", time.Hour).Write(t, folder, "other")
	trust := []string{"--ca", roots}
	shown := append(trust, "--client-cert", cert, "--client-key", key)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{append([]string{"health"}, shown...), 0, ""},
		{append([]string{"models"}, shown...), 0, "MODEL"},
		{append([]string{"jobs", "ls"}, shown...), 0, "STATE"},
		{append([]string{"routes", "ls"}, shown...), 0, "ANSWERS"},
		{append([]string{"switch", "m", "2", "--wait"}, shown...), 0, ""},
		{append([]string{"shadow", "show", "r"}, trust...), 1, "certificate required"},
		{append([]string{"health", "--client-cert", both}, trust...), 0, ""},
		{append([]string{"health"}, trust...), 1, "certificate required"},
		{[]string{"health", "--client-cert", both}, 1, "certificate signed by unknown authority"},
		{[]string{"health", "--ca", filepath.Join(folder, "none")}, 2, "--ca: open"},
		{[]string{"health", "--ca", key}, 2, "holds no PEM certificate"},
		{append([]string{"jobs", "ls", "--client-key", key}, trust...), 2, "--client-key goes with --client-cert"},
		{append([]string{"models", "--client-cert", cert, "--client-key", wrong}, trust...), 2, "are no pair"},
		{append([]string{"models", "--client-cert", filepath.Join(folder, "none")}, trust...), 2, "--client-cert: stat"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), &Env{Args: append(c.args, "--url", server.URL), Environ: os.Environ(), Out: &out, Err: &out})
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: exit code %d, %q; want %d, %q", c.args, code, out.String(), c.code, c.want)
		}
	}
}
