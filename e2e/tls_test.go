package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/certtest"
	"triton-gateway/internal/h2"
	"triton-gateway/internal/parts"
)

// secured is a gateway over TLS, and what its clients need.
type secured struct {
	*parts.Process
	url, grpc, admin, folder string
	ca                       *certtest.Authority
}

var securedLine = regexp.MustCompile(`(?m)^  (page|grpc|admin) +(\S+?)(?:/|/metrics)?$`)

// serveTLS runs the built program with a certificate that is valid for an hour.
func serveTLS(t *testing.T, settings ...string) *secured {
	t.Helper()
	s := &secured{folder: t.TempDir(), ca: certtest.New(t, "ca")}
	cert, key := s.ca.Server(t, "first", time.Hour).Write(t, s.folder, "server")
	certtest.Write(t, s.folder, "ca.pem", s.ca.PEM)
	found := map[string]string{}
	ready := make(chan struct{})
	s.Process = parts.Start(t, parts.Command{
		Path: parts.Gateway(t), Dir: parts.Root(t),
		Env:  append(append(os.Environ(), "GATEWAY_LISTEN__DRAIN=0s", "GATEWAY_JOBS__QUEUE=off", "GATEWAY_LISTEN__TLS__CERT="+cert, "GATEWAY_LISTEN__TLS__KEY="+key), settings...),
		Args: []string{"serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
		Ready: func(line string) bool {
			if m := securedLine.FindStringSubmatch(line); m != nil {
				found[m[1]] = m[2]
			}
			if len(found) < 3 {
				return false
			}
			close(ready)
			return true
		},
	})
	<-ready
	s.url, s.grpc, s.admin = found["page"], strings.TrimPrefix(found["grpc"], "grpcs://"), found["admin"]
	if !strings.HasPrefix(s.url, "https://") || s.grpc == found["grpc"] || !strings.HasPrefix(s.admin, "http://") {
		t.Fatalf("the banner says %v", found)
	}
	return s
}

// config is a client's, which shows these certificates.
func (s *secured) config(pairs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: s.ca.Pool, Certificates: pairs, MinVersion: tls.VersionTLS12}
}

// client keeps its connections. With two it speaks HTTP/2.
func (s *secured) client(t *testing.T, two bool, pairs ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: s.config(pairs...), ForceAttemptHTTP2: two}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// shown is the name of the certificate that a new connection gets.
func (s *secured) shown(t *testing.T) string {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), s.config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// call asks iris over gRPC.
func (s *secured) call(ctx context.Context, config *tls.Config) error {
	config.NextProtos = []string{"h2"}
	nc, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", s.grpc)
	if err != nil {
		return err
	}
	c, err := h2.New(ctx, nc, h2.Options{Authority: s.grpc, TLS: true})
	if err != nil {
		return err
	}
	defer c.Close()
	_, _, err = c.Call(ctx, "/inference.GRPCInferenceService/ModelInfer", nil, [][]byte{irisMessage()})
	return err
}

func askTLS(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Post(url+"/v1/models/iris/infer", "application/json", strings.NewReader(`{"row":[5.1,3.5,1.4,0.2]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestTLS(t *testing.T) {
	s := serveTLS(t)
	for two, proto := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		res, body := askTLS(t, s.client(t, two), s.url)
		if res.StatusCode != 200 || res.Proto != proto || !strings.Contains(body, "setosa") || res.Header.Get("Strict-Transport-Security") != "max-age=15552000" {
			t.Errorf("%s: %s %v %s", res.Proto, res.Status, res.Header, body)
		}
	}
	large := bytes.Repeat([]byte{1}, 3<<20) // larger than the windows of HTTP/2
	res, err := s.client(t, true).Post(s.url+"/v1/models/shapes/infer", "image/png", bytes.NewReader(large))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 415 && res.StatusCode != 422 {
		t.Errorf("3 MiB of no picture: %s", res.Status)
	}
	if err := s.call(t.Context(), s.config()); err != nil {
		t.Error("gRPC:", err)
	}
	if err := s.call(t.Context(), &tls.Config{RootCAs: x509.NewCertPool()}); err == nil {
		t.Error("gRPC: the certificate of an unknown authority is shown to be one")
	}
	command := parts.TritonClient(t, "e2e/testdata/tls_client.py", s.grpc, s.folder+"/ca.pem")
	cmd := exec.CommandContext(t.Context(), command.Path, command.Args...)
	cmd.Env, cmd.Dir = command.Env, command.Dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "True iris") {
		t.Errorf("tritonclient: %v %s", err, out)
	}
}

// A new pair is used, a bad one is not, and a connection that is kept goes on over all of it.
func TestTLSCertificatesAreRenewed(t *testing.T) {
	s := serveTLS(t)
	kept := s.client(t, true)
	askTLS(t, kept, s.url)
	metric := func(line string) func() bool {
		return func() bool {
			res, err := http.Get(s.admin + "/metrics")
			if err != nil {
				return false
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			return strings.Contains(string(body), line)
		}
	}
	second := s.ca.Server(t, "second", 2*time.Hour)
	certtest.Write(t, s.folder, "server.key", second.Key)
	parts.Until(t, "half a pair is refused", time.Minute, metric(`gateway_tls_files_refused{listener="public"} 1`))
	if got := s.shown(t); got != "first" {
		t.Errorf("with half a pair %s is shown", got)
	}
	certtest.Write(t, s.folder, "server.pem", second.Cert)
	parts.Until(t, "the new pair is shown", time.Minute, func() bool { return s.shown(t) == "second" })
	parts.Until(t, "it is counted", time.Minute, metric(`gateway_tls_changes_total{listener="public",result="taken"} 1`))
	if !metric(`gateway_tls_files_refused{listener="public"} 0`)() {
		t.Error("the files are still called refused")
	}
	if res, _ := askTLS(t, kept, s.url); res.StatusCode != 200 || res.TLS.PeerCertificates[0].Subject.CommonName != "first" {
		t.Errorf("the kept connection: %s, shown %s", res.Status, res.TLS.PeerCertificates[0].Subject)
	}
	parts.Until(t, "the log tells it", time.Minute, func() bool { return strings.Contains(s.Log(), "a new certificate is in use") })
	if strings.Contains(s.Log(), "PRIVATE KEY") {
		t.Error("the log has a key")
	}
}

func TestClientCertificates(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "clients")
	roots := certtest.Write(t, folder, "clients.pem", ca.PEM)
	cert, key := ca.Client(t, "me", time.Hour).Write(t, folder, "me")
	s := serveTLS(t, "GATEWAY_LISTEN__TLS__CLIENT_CA="+roots)
	me := ca.Client(t, "me", time.Hour).TLS(t)
	for _, two := range []bool{true, false} {
		if res, _ := askTLS(t, s.client(t, two, me), s.url); res.StatusCode != 200 {
			t.Errorf("with a certificate: %s", res.Status)
		}
		if res, err := s.client(t, two).Get(s.url + "/livez"); err == nil {
			t.Errorf("without a certificate: %s", res.Status)
		}
		if res, err := s.client(t, two, s.ca.Client(t, "foreign", time.Hour).TLS(t)).Get(s.url + "/livez"); err == nil {
			t.Errorf("with one of another authority: %s", res.Status)
		}
	}
	if err := s.call(t.Context(), s.config(me)); err != nil {
		t.Error("gRPC:", err)
	}
	if err := s.call(t.Context(), s.config()); err == nil {
		t.Error("gRPC answers who has no certificate")
	}
	health := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), parts.Gateway(t), append([]string{"health", "--url", s.url, "--ca", s.folder + "/ca.pem"}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := health("--client-cert", cert, "--client-key", key); err != nil {
		t.Errorf("health: %v %s", err, out)
	}
	// With TLS 1.3 the server says why after the client's first write, which may find the connection closed by then.
	if out, err := health(); err == nil || !strings.Contains(out, "certificate required") && !strings.Contains(out, "broken pipe") && !strings.Contains(out, "connection reset") {
		t.Errorf("health without a certificate: %v %s", err, out)
	}
}
