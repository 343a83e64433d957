package gateway

import (
	"log/slog"
	"time"

	"triton-gateway/internal/servercert"
)

// TLS is how a listener is encrypted. The files are read again every few seconds; what has changed is used for new connections.
type TLS struct {
	Cert     string `yaml:"cert" json:"cert,omitempty" env:"CERT" jsonschema_description:"PEM file with the server's certificate, then those that lead to an authority. Empty: no TLS."`
	Key      string `yaml:"key" json:"key,omitempty" env:"KEY" jsonschema_description:"PEM file with its private key."`
	ClientCA string `yaml:"client_ca" json:"client_ca,omitempty" env:"CLIENT_CA" jsonschema_description:"PEM file with authorities: clients have to show a certificate of one of them. Empty: clients show none."`
}

// on says that the listener is encrypted.
func (t TLS) on() bool { return t.Cert != "" || t.Key != "" }

// asksClients says that nobody comes in without a certificate.
func (t TLS) asksClients() bool { return t.on() && t.ClientCA != "" }

func (t TLS) files() servercert.Files {
	return servercert.Files{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA}
}

// check is a part of Config.Validate; key is the section's name.
func (t TLS) check(key string) (faults []error) {
	switch {
	case t.Cert == "" && t.Key == "" && t.ClientCA == "":
		return nil
	case !t.on():
		return []error{bad("%s.client_ca: there is no certificate of the gateway's own: give %s.cert and %s.key too", key, key, key)}
	case t.Cert == "":
		return []error{bad("%s.cert: is missing; %s.key needs the certificate that it belongs to", key, key)}
	case t.Key == "":
		return []error{bad("%s.key: is missing; %s.cert needs the private key that it belongs to", key, key)}
	}
	_, found := t.files().Check(time.Now())
	for _, err := range found {
		faults = append(faults, bad("%s.%w", key, err))
	}
	return faults
}

// checkTLS is a part of Config.Validate.
func (l *Listen) checkTLS() (faults []error) {
	faults = append(l.TLS.check("listen.tls"), l.AdminTLS.check("listen.admin_tls")...)
	if l.HSTS < 0 {
		faults = append(faults, bad("listen.hsts: must not be negative"))
	}
	return faults
}

// openCertificates reads the certificates that the settings name; nil where there are none.
func (g *Gateway) openCertificates(key string, t TLS) (*servercert.Certificates, error) {
	if !t.on() {
		return nil, nil
	}
	name := map[string]string{"listen.tls": "public", "listen.admin_tls": "admin"}[key]
	c, err := servercert.Open(t.files(), g.log.With(slog.String("listener", name)))
	if err != nil {
		return nil, bad("%s.%w", key, err)
	}
	g.onClose(c.Close)
	g.certs = append(g.certs, certified{name, c})
	return c, nil
}
