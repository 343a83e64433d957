// Package servercert has a listener present the certificate that its files hold now. It exists because certificates are renewed while a server runs: a changed
// pair is taken without a restart, a bad one is refused and the one before stays in use, and no connection is dropped by either.
package servercert

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"triton-gateway/internal/watchfile"
)

// Files are the paths of PEM files.
type Files struct {
	Cert     string // of the server, its own certificate first, then those that lead to an authority
	Key      string // of the first certificate
	ClientCA string // authorities of which clients have to show a certificate; "": clients show none
}

// longestFile bounds what is read: the largest bundles of authorities have a quarter of it.
const longestFile = 1 << 20 // bytes

// content is what the files hold at one moment, good or bad.
type content struct {
	pair    tls.Certificate
	clients *x509.CertPool // nil: clients show none
	chain   []*x509.Certificate
	roots   []*x509.Certificate
	digest  [sha256.Size]byte // of all files, and of why one cannot be read
}

// Check reads the files as Open does, and tells all that is wrong with them at once. Each error begins with cert, key or client_ca. warnings are what a client
// may refuse, though the files can be served; now says which certificates have expired.
func (f Files) Check(now time.Time) (warnings []string, faults []error) {
	c, faults := f.read()
	if len(faults) > 0 {
		return nil, faults
	}
	return c.warnings(now), nil
}

func (f Files) read() (*content, []error) {
	c := &content{}
	sum := sha256.New()
	var faults []error
	load := func(what, path string) []byte {
		data, err := watchfile.Load(path, longestFile)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", what, err))
			data = []byte(err.Error())
		}
		_, _ = sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(data))))
		_, _ = sum.Write(data)
		return data
	}
	cert, key := load("cert", f.Cert), load("key", f.Key)
	if len(faults) == 0 {
		var err error
		if c.pair, err = tls.X509KeyPair(cert, key); err != nil {
			faults = append(faults, fmt.Errorf("cert: %s and %s are no pair: %w", f.Cert, f.Key, err))
		} else if c.chain, err = certificates(cert); err != nil {
			faults = append(faults, fmt.Errorf("cert: %s: %w", f.Cert, err))
		}
	}
	if f.ClientCA != "" {
		before := len(faults)
		roots := load("client_ca", f.ClientCA)
		if len(faults) == before {
			var err error
			if c.roots, err = certificates(roots); err != nil {
				faults = append(faults, fmt.Errorf("client_ca: %s: %w", f.ClientCA, err))
			}
			c.clients = x509.NewCertPool()
			for _, root := range c.roots {
				c.clients.AddCert(root)
			}
		}
	}
	sum.Sum(c.digest[:0])
	return c, faults
}

// certificates are those of a PEM text; one that cannot be read is an error, since half a bundle of authorities would turn clients away.
func certificates(text []byte) (list []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("holds no PEM certificate")
	}
	return list, nil
}

// window is when the whole chain is valid.
func (c *content) window() (from, to time.Time) {
	from, to = c.chain[0].NotBefore, c.chain[0].NotAfter
	for _, other := range c.chain[1:] {
		if other.NotBefore.After(from) {
			from = other.NotBefore
		}
		if other.NotAfter.Before(to) {
			to = other.NotAfter
		}
	}
	return from, to
}

func (c *content) expired(now time.Time) bool {
	_, to := c.window()
	return now.After(to)
}

func (c *content) warnings(now time.Time) (list []string) {
	leaf := c.chain[0]
	from, to := c.window()
	switch {
	case now.After(to):
		list = append(list, fmt.Sprintf("cert: expired on %s; clients refuse it", to.UTC().Format(time.RFC3339)))
	case now.Before(from):
		list = append(list, fmt.Sprintf("cert: not valid before %s; clients refuse it until then", from.UTC().Format(time.RFC3339)))
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		list = append(list, "cert: names no host (subject alternative names); clients refuse it")
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		list = append(list, "cert: not made for servers (its extended key usage); clients refuse it")
	}
	for i, root := range c.roots {
		if now.After(root.NotAfter) {
			list = append(list, fmt.Sprintf("client_ca: certificate %d expired on %s; clients under it are refused", i+1, root.NotAfter.UTC().Format(time.RFC3339)))
		}
	}
	return list
}
