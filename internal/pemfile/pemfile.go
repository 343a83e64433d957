// Package pemfile reads certificates from files. It exists because every part that speaks TLS takes its authorities the same way, and none of them may import
// another.
package pemfile

import (
	"crypto/x509"
	"errors"
	"os"
)

// Authorities reads the certificates of a PEM file into a pool. The error names the file: it cannot be read, or holds no certificate.
func Authorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New(path + " holds no PEM certificate")
	}
	return pool, nil
}
