// Package certtest makes authorities and certificates for tests. It exists because certificates that are committed expire one day.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	Pool *x509.CertPool // it alone
	PEM  []byte

	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Pair is a certificate and its key in PEM.
type Pair struct{ Cert, Key []byte }

// New makes an authority that is valid from an hour ago for two days.
func New(tb testing.TB, name string) *Authority {
	tb.Helper()
	a := &Authority{Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	a.key = newKey(tb)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	if a.leaf, err = x509.ParseCertificate(der); err != nil {
		tb.Fatal(err)
	}
	a.Pool.AddCert(a.leaf)
	a.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Server makes a certificate of this machine's loopback addresses, for servers, valid from an hour ago for so long from now.
func (a *Authority) Server(tb testing.TB, name string, valid time.Duration) Pair {
	tb.Helper()
	return a.sign(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, valid)
}

// Client makes a certificate for clients, valid from an hour ago for so long from now.
func (a *Authority) Client(tb testing.TB, name string, valid time.Duration) Pair {
	tb.Helper()
	return a.sign(tb, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, valid)
}

func (a *Authority) sign(tb testing.TB, template *x509.Certificate, valid time.Duration) Pair {
	tb.Helper()
	key := newKey(tb)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(valid)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.leaf, &key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return Pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}

// TLS gives the pair as package tls takes it.
func (p Pair) TLS(tb testing.TB) tls.Certificate {
	tb.Helper()
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Write puts a file into a folder, as one step as far as readers can see, and gives its path.
func Write(tb testing.TB, folder, name string, text []byte) string {
	tb.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Write puts the pair into NAME.pem and NAME.key of a folder, and gives their paths.
func (p Pair) Write(tb testing.TB, folder, name string) (cert, key string) {
	tb.Helper()
	return Write(tb, folder, name+".pem", p.Cert), Write(tb, folder, name+".key", p.Key)
}
