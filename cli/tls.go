package cli

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"time"

	"triton-gateway/internal/pemfile"
)

// tlsFlags say how a gateway is asked over https.
type tlsFlags struct {
	CA         string `name:"ca" placeholder:"FILE" help:"PEM file with the authorities of an https gateway. Default: the system's."`
	ClientCert string `placeholder:"FILE" help:"PEM file with the certificate that is shown to a gateway that asks for one."`
	ClientKey  string `placeholder:"FILE" help:"PEM file with its private key. Default: the file of the certificate."`
}

// client gives an HTTP client that waits at most for so long. The error names the flag.
func (f tlsFlags) client(timeout time.Duration) (*http.Client, error) {
	if f == (tlsFlags{}) {
		return &http.Client{Timeout: timeout}, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		pool, err := pemfile.Authorities(f.CA)
		if err != nil {
			return nil, failure{2, "--ca: " + err.Error()}
		}
		config.RootCAs = pool
	}
	if f.ClientKey != "" && f.ClientCert == "" {
		return nil, failure{2, "--client-key goes with --client-cert"}
	}
	if f.ClientCert != "" {
		pair, err := readPair(f.ClientCert, f.ClientKey)
		if err != nil {
			return nil, failure{2, "--client-cert: " + err.Error()}
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return &http.Client{Timeout: timeout, Transport: transport}, nil
}

// readPair reads a certificate and its key, which may be in one file.
func readPair(cert, key string) (tls.Certificate, error) {
	if key == "" {
		key = cert
	}
	for _, path := range []string{cert, key} {
		if _, err := os.Stat(path); err != nil {
			return tls.Certificate{}, err
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("%s and %s are no pair: %w", cert, key, err)
	}
	return pair, nil
}
