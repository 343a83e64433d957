package servercert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/internal/certtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends back what it gets.
type echo struct {
	*Certificates
	log     bytes.Buffer
	address string
}

func newEcho(t *testing.T, f Files) *echo {
	t.Helper()
	e := &echo{}
	var err error
	if e.Certificates, err = Open(f, slog.New(slog.NewTextHandler(&e.log, nil))); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", e.Config("h2", "http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	e.address = l.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// say sends a word and waits for it.
func say(c net.Conn, word string) error {
	if _, err := io.WriteString(c, word); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, len(word)))
	return err
}

// who gives the name of the certificate that a new client is shown; an error where it is not served.
func who(t *testing.T, e *echo, config *tls.Config) (string, error) {
	t.Helper()
	c, err := tls.Dial("tcp", e.address, config)
	if err != nil {
		return "", err
	}
	defer c.Close()
	state := c.ConnectionState()
	return state.PeerCertificates[0].Subject.CommonName, say(c, "hello")
}

func must(t *testing.T, e *echo, config *tls.Config, want string) {
	t.Helper()
	if got, err := who(t, e, config); err != nil || got != want {
		t.Errorf("shown %q, %v; want %q", got, err, want)
	}
}

func TestChangedFilesAreTaken(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "first", time.Hour).Write(t, folder, "server")
	e := newEcho(t, Files{Cert: cert, Key: key})
	config := &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", NextProtos: []string{"h2"}}
	open, err := tls.Dial("tcp", e.address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if p := open.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Errorf("the protocol is %q", p)
	}
	second := ca.Server(t, "second", 2*time.Hour)
	certtest.Write(t, folder, "server.pem", second.Cert) // half of it: no pair
	e.Look()
	e.Look() // tells it once
	must(t, e, config, "first")
	if s := e.Stats(); s.Taken != 0 || s.Refused != 1 || !s.Stale {
		t.Errorf("with half a pair: %+v", s)
	}
	if text := e.log.String(); strings.Count(text, "cannot be used") != 1 || !strings.Contains(text, "are no pair") || strings.Contains(text, "PRIVATE") {
		t.Errorf("the log says %s", text)
	}
	certtest.Write(t, folder, "server.key", second.Key)
	e.Look()
	must(t, e, config, "second")
	s := e.Stats()
	if s.Taken != 1 || s.Refused != 1 || s.Stale || !s.NotAfter.Equal(e.Leaf().NotAfter) || time.Until(s.NotAfter) < 90*time.Minute {
		t.Errorf("with the new pair: %+v", s)
	}
	if err := say(open, "still here"); err != nil {
		t.Error("a connection was dropped:", err)
	}
}

func TestFilesThatCannotBeUsedAreRefused(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	good := ca.Server(t, "good", time.Hour)
	cert, key := good.Write(t, folder, "server")
	roots := certtest.Write(t, folder, "clients.pem", ca.PEM)
	e := newEcho(t, Files{Cert: cert, Key: key, ClientCA: roots})
	client := &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", Certificates: []tls.Certificate{ca.Client(t, "c", time.Hour).TLS(t)}}
	for i, bad := range []struct{ file, text, want string }{
		{"server.pem", "", "failed to find any PEM data"},
		{"server.pem", string(ca.Server(t, "expired", -time.Minute).Cert), "are no pair"},
		{"server.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "are no pair"},
		{"clients.pem", "nothing", "holds no PEM certificate"},
		{"clients.pem", string(ca.PEM) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 2 cannot be read"},
		{"clients.pem", strings.Repeat("x", longestFile+1), "longer than"},
	} {
		e.log.Reset()
		certtest.Write(t, folder, bad.file, []byte(bad.text))
		e.Look()
		if s := e.Stats(); !s.Stale || s.Taken != 0 || s.Refused != uint64(i+1) || !strings.Contains(e.log.String(), bad.want) {
			t.Errorf("%s %.20q: %+v, the log says %s", bad.file, bad.text, s, &e.log)
		}
		must(t, e, client, "good")
		good.Write(t, folder, "server")
		certtest.Write(t, folder, "clients.pem", ca.PEM)
		e.Look()
		if s := e.Stats(); s.Stale || s.Taken != 0 {
			t.Errorf("back to what it was: %+v", s)
		}
	}
	if err := os.Remove(roots); err != nil {
		t.Fatal(err)
	}
	e.Look()
	if s := e.Stats(); !s.Stale {
		t.Errorf("without a file: %+v", s)
	}
	must(t, e, client, "good")
	certtest.Write(t, folder, "clients.pem", ca.PEM)
	ca.Server(t, "late", -time.Minute).Write(t, folder, "server")
	e.Look()
	if s := e.Stats(); !s.Stale || !strings.Contains(e.log.String(), "expired on") {
		t.Errorf("an expired pair: %+v %s", s, &e.log)
	}
	must(t, e, client, "good")
}

// Whoever came in under an authority does not come in by a resumed session once it is taken away.
func TestClientsNeedACertificate(t *testing.T) {
	folder, ca, other := t.TempDir(), certtest.New(t, "ca"), certtest.New(t, "other")
	cert, key := ca.Server(t, "server", time.Hour).Write(t, folder, "server")
	roots := certtest.Write(t, folder, "clients.pem", ca.PEM)
	e := newEcho(t, Files{Cert: cert, Key: key, ClientCA: roots})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		with := func(pair ...tls.Certificate) *tls.Config {
			return &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", Certificates: pair, ClientSessionCache: tls.NewLRUClientSessionCache(8), MaxVersion: version}
		}
		right, wrong := with(ca.Client(t, "right", time.Hour).TLS(t)), with(other.Client(t, "other", time.Hour).TLS(t))
		for name, refused := range map[string]*tls.Config{
			"no certificate": with(), "another authority's": wrong, "an expired one": with(ca.Client(t, "late", -time.Minute).TLS(t)),
			"a server's": with(ca.Server(t, "server", time.Hour).TLS(t)),
		} {
			if got, err := who(t, e, refused); err == nil {
				t.Errorf("%x: %s is let in at %s", version, name, got)
			}
		}
		must(t, e, right, "server")
		if c, err := tls.Dial("tcp", e.address, right); err != nil {
			t.Error(err)
		} else {
			if c.ConnectionState().DidResume {
				t.Errorf("%x: a session is resumed, and its certificate may not be looked at again", version)
			}
			_ = c.Close()
		}
		certtest.Write(t, folder, "clients.pem", other.PEM)
		e.Look()
		if _, err := who(t, e, right); err == nil {
			t.Errorf("%x: an authority that was taken away still lets in", version)
		}
		must(t, e, wrong, "server")
		certtest.Write(t, folder, "clients.pem", ca.PEM)
		e.Look()
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "server", time.Hour).Write(t, folder, "server")
	e := newEcho(t, Files{Cert: cert, Key: key})
	if _, err := who(t, e, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // what is refused
		t.Error("TLS 1.1 is spoken")
	}
	must(t, e, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost", MaxVersion: tls.VersionTLS12}, "server")
}

func TestCheck(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "server", time.Hour).Write(t, folder, "server")
	clientCert, clientKey := ca.Client(t, "client", time.Hour).Write(t, folder, "client")
	none := filepath.Join(folder, "none")
	now := time.Now()
	for _, c := range []struct {
		files            Files
		at               time.Time
		warnings, faults string
	}{
		{Files{Cert: cert, Key: key}, now, "", ""},
		{Files{Cert: cert, Key: key}, now.Add(2 * time.Hour), "cert: expired on", ""},
		{Files{Cert: cert, Key: key}, now.Add(-2 * time.Hour), "cert: not valid before", ""},
		{Files{Cert: clientCert, Key: clientKey}, now, "cert: names no host (subject alternative names); clients refuse it|cert: not made for servers", ""},
		{Files{Cert: cert, Key: key, ClientCA: certtest.Write(t, folder, "ca.pem", ca.PEM)}, now.Add(72 * time.Hour), "cert: expired on|client_ca: certificate 1 expired", ""},
		{Files{Cert: none, Key: none, ClientCA: none}, now, "", "cert: open |key: open |client_ca: open "},
		{Files{Cert: folder, Key: key}, now, "", "cert: " + folder + " is not a file"},
		{Files{Cert: cert, Key: clientKey}, now, "", "are no pair"},
	} {
		warnings, faults := c.files.Check(c.at)
		var texts []string
		for _, err := range faults {
			texts = append(texts, err.Error())
		}
		compare(t, warnings, c.warnings)
		compare(t, texts, c.faults)
		opened, err := Open(c.files, slog.New(slog.DiscardHandler))
		if (err == nil) != (c.faults == "") {
			t.Errorf("%+v: opened with %v", c.files, err)
		}
		if opened != nil {
			_ = opened.Close()
		}
	}
}

// compare looks for the parts of want, between bars, in the texts, one in each.
func compare(t *testing.T, texts []string, want string) {
	t.Helper()
	var parts []string
	if want != "" {
		parts = strings.Split(want, "|")
	}
	if len(parts) != len(texts) {
		t.Errorf("%q, want %q", texts, parts)
		return
	}
	for i := range parts {
		if !strings.Contains(texts[i], parts[i]) {
			t.Errorf("%q, want %q", texts[i], parts[i])
		}
	}
}

// What comes first in a chain is the server's; what ends first ends it.
func TestTheChainEndsWithItsFirstCertificateThatExpires(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	pair := ca.Server(t, "server", 100*time.Hour)
	pair.Cert = append(pair.Cert, ca.PEM...)
	cert, key := pair.Write(t, folder, "server")
	e := newEcho(t, Files{Cert: cert, Key: key})
	left := time.Until(e.Stats().NotAfter)
	if left > 49*time.Hour || left < 47*time.Hour {
		t.Errorf("%v are left; the authority has 48 h", left)
	}
}

func FuzzCertificates(f *testing.F) {
	a := certtest.New(f, "ca")
	f.Add(a.PEM)
	f.Add(append([]byte("text before\n"), a.PEM...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := certificates(text)
		if err == nil && len(list) == 0 || err != nil && list != nil {
			t.Errorf("%d certificates, %v", len(list), err)
		}
		pool := x509.NewCertPool()
		for _, c := range list {
			pool.AddCert(c)
		}
	})
}
