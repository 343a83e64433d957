package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"triton-gateway/internal/servercert"
)

// certified is a group of listeners and what they present.
type certified struct {
	name string
	*servercert.Certificates
}

// encrypt has a listener speak TLS, with HTTP/2 for the clients that choose it. nil: it does not.
func (l *listener) encrypt(c *servercert.Certificates) {
	if c == nil {
		return
	}
	l.encrypted = true
	s := l.server
	s.TLSConfig = c.Config("h2", "http/1.1")
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
}

// serve is http.Server's, encrypted or not.
func (l listener) serve() error {
	if !l.encrypted {
		return l.server.Serve(l.Listener)
	}
	return l.server.ServeTLS(l.Listener, "", "") // the certificate is in the config
}

// scheme is what URLs of this listener begin with.
func (l listener) scheme() string {
	if l.encrypted {
		return "https://"
	}
	return "http://"
}

// overTLS is l over TLS for gRPC; l itself where there is no certificate.
func overTLS(l net.Listener, c *servercert.Certificates) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, c.Config("h2"))
}

// tlsReadings are the figures of the certificates.
func tlsReadings(list []certified, now func() time.Time) readings {
	return func() []reading {
		var left, whole, stale, changes []labelled
		for _, c := range list {
			s := c.Stats()
			left = append(left, labelled{s.NotAfter.Sub(now()).Seconds(), []string{c.name}})
			whole = append(whole, labelled{s.NotAfter.Sub(s.NotBefore).Seconds(), []string{c.name}})
			refused := 0.
			if s.Stale {
				refused = 1
			}
			stale = append(stale, labelled{refused, []string{c.name}})
			changes = append(changes, labelled{float64(s.Taken), []string{c.name, "taken"}}, labelled{float64(s.Refused), []string{c.name, "refused"}})
		}
		label := []string{"listener"}
		return []reading{
			{"gateway_tls_certificate_remaining_seconds", "Until the certificate in use expires, or one of its chain; less than 0 afterwards.", label, false, left},
			{"gateway_tls_certificate_lifetime_seconds", "From the beginning to the end of its validity.", label, false, whole},
			{"gateway_tls_files_refused", "1 while the files hold something that cannot be used, and an older certificate is in use.", label, false, stale},
			{"gateway_tls_changes_total", "Changes of the files: taken or refused.", []string{"listener", "result"}, true, changes},
		}
	}
}
