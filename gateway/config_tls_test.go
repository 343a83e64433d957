package gateway

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/certtest"
)

func TestTLSFaults(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "server", time.Hour).Write(t, folder, "server")
	_, other := ca.Server(t, "other", time.Hour).Write(t, folder, "other")
	late, lateKey := ca.Server(t, "late", -time.Minute).Write(t, folder, "late")
	roots := certtest.Write(t, folder, "ca.pem", ca.PEM)
	none := folder + "/none"
	for _, c := range []struct {
		name string
		tls  TLS
		want []string
	}{
		{"nothing", TLS{}, nil},
		{"a pair", TLS{Cert: cert, Key: key}, nil},
		{"an expired pair", TLS{Cert: late, Key: lateKey}, nil}, // a warning in the log
		{"with clients", TLS{Cert: cert, Key: key, ClientCA: roots}, nil},
		{"half", TLS{Cert: cert}, []string{"listen.tls.key: is missing"}},
		{"the other half", TLS{Key: key}, []string{"listen.tls.cert: is missing"}},
		{"clients alone", TLS{ClientCA: roots}, []string{"listen.tls.client_ca: there is no certificate"}},
		{"all unreadable", TLS{Cert: none, Key: none, ClientCA: none}, []string{"listen.tls.cert: open " + none, "listen.tls.key: open " + none, "listen.tls.client_ca: open " + none}},
		{"no pair", TLS{Cert: cert, Key: other}, []string{"listen.tls.cert: " + cert + " and " + other + " are no pair"}},
		{"no authority", TLS{Cert: cert, Key: key, ClientCA: key}, []string{"listen.tls.client_ca: " + key + ": holds no PEM certificate"}},
	} {
		config := DefaultConfig()
		config.Listen.TLS = c.tls
		err := config.Validate()
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.name, err, want)
			}
		}
		config = DefaultConfig()
		config.Listen.AdminTLS = c.tls
		if err := config.Validate(); c.want != nil && (err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want[0], "listen.tls", "listen.admin_tls"))) {
			t.Errorf("%s for admin: %v", c.name, err)
		}
	}
	config := DefaultConfig()
	config.Listen.HSTS = -time.Second
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "listen.hsts") {
		t.Error(err)
	}
}

// A listener that asks for certificates may be public: nobody else comes in.
func TestPublicAddressWithClientCertificates(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "server", time.Hour).Write(t, folder, "server")
	pair := TLS{Cert: cert, Key: key}
	asking := pair
	asking.ClientCA = certtest.Write(t, folder, "ca.pem", ca.PEM)
	for _, c := range []struct {
		name   string
		listen Listen
		want   []string
	}{
		{"TLS alone", Listen{HTTP: "0.0.0.0:1", TLS: pair}, []string{"listen.http"}},
		{"certificates", Listen{HTTP: "0.0.0.0:1", GRPC: "0.0.0.0:2", Admin: "0.0.0.0:3", TLS: asking, AdminTLS: asking}, nil},
		{"not for admin", Listen{HTTP: "0.0.0.0:1", Admin: "0.0.0.0:3", TLS: asking}, []string{"listen.admin"}},
		{"for admin alone", Listen{HTTP: "0.0.0.0:1", Admin: "0.0.0.0:3", AdminTLS: asking}, []string{"listen.http"}},
	} {
		config := DefaultConfig()
		config.Listen = c.listen
		err := config.Validate()
		if (err == nil) != (c.want == nil) || err != nil && !strings.Contains(err.Error(), c.want[0]) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestTLSReadings(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	cert, key := ca.Server(t, "server", 10*time.Hour).Write(t, folder, "server")
	g := &Gateway{log: quietLog()}
	c, err := g.openCertificates("listen.tls", TLS{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if none, err := g.openCertificates("listen.admin_tls", TLS{}); none != nil || err != nil || len(g.certs) != 1 {
		t.Errorf("without files: %v, %v", none, err)
	}
	ends := c.Stats().NotAfter
	read := func(at time.Time) map[string]float64 {
		found := map[string]float64{}
		for _, f := range tlsReadings(g.certs, func() time.Time { return at })() {
			for _, v := range f.values {
				found[strings.Join(append([]string{f.name}, v.labels...), " ")] = v.value
			}
		}
		return found
	}
	certtest.Write(t, folder, "server.key", nil)
	c.Look()
	for name, want := range map[string]float64{
		"gateway_tls_certificate_remaining_seconds public": 90, "gateway_tls_certificate_lifetime_seconds public": 11 * 3600,
		"gateway_tls_files_refused public": 1, "gateway_tls_changes_total public taken": 0, "gateway_tls_changes_total public refused": 1,
	} {
		if got := read(ends.Add(-90 * time.Second))[name]; got < want-2 || got > want+2 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := read(ends.Add(time.Minute))["gateway_tls_certificate_remaining_seconds public"]; got != -60 {
		t.Errorf("a minute after the end: %v", got)
	}
}

// The examples of the guide are settings that are taken, with files of this test.
func TestTLSGuide(t *testing.T) {
	folder, ca := t.TempDir(), certtest.New(t, "ca")
	ca.Server(t, "server", time.Hour).Write(t, folder, "tls")
	certtest.Write(t, folder, "clients.pem", ca.PEM)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readFile(t, "../docs/guide/tls.md"), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, block := range blocks {
		c := DefaultConfig()
		text := strings.NewReplacer("/etc/gateway/tls.crt", folder+"/tls.pem", "/etc/gateway/", folder+"/").Replace(block[1])
		if err := c.decode([]byte(text)); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
		c.Insecure = i == 0 // the page says that it needs something else beside
		if err := c.Validate(); err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
}
