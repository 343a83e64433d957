package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"triton-gateway/internal/caller"
	"triton-gateway/internal/watchfile"
)

// keyring is a keys file in force.
type keyring struct {
	file watchfile.File
	held atomic.Pointer[keys] // never nil
	log  *slog.Logger

	taken, refused atomic.Uint64 // changes of the file
}

// openKeys reads the file for the first time.
func openKeys(path string, log *slog.Logger) (*keyring, error) {
	r := &keyring{file: watchfile.File{Path: path, Most: maxFile}, log: log}
	data, _, err := r.file.Read()
	if err != nil {
		return nil, fmt.Errorf("auth.keys_file: %w", err)
	}
	k, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("auth.keys_file: %s: %w", path, err)
	}
	r.held.Store(k)
	return r, nil
}

// look takes the file anew if it has changed. One that cannot be read, or has faults, changes nothing.
func (r *keyring) look() {
	data, changed, err := r.file.Read()
	if !changed {
		return
	}
	var k *keys
	if err == nil {
		k, err = parseKeys(data)
	}
	if err != nil {
		r.refused.Add(1)
		r.log.Error("the keys file has changed and cannot be taken; the keys before go on", "file", r.file.Path, "cause", err.Error())
		return
	}
	r.held.Store(k)
	r.taken.Add(1)
	r.log.Info("the keys file has changed and is in force", "file", r.file.Path, "keys", k.count)
}

// keys are the entries of one keys file. They do not change.
type keys struct {
	count int
	// byHead finds entries by the first bytes of their digest. A look-up that tells by its time whether these are right tells of a digest, which shows nothing of
	// the key; the whole is compared in constant time.
	byHead map[uint64][]*entry
	byName map[string]*entry // of a certificate
}

// entry is one key.
type entry struct {
	sum  [sha256.Size]byte
	name string // of a certificate; "": none
	who  caller.Caller
	line int
}

// find gives the entry of a digest; nil where there is none.
func (k *keys) find(sum *[sha256.Size]byte) (found *entry) {
	for _, e := range k.byHead[head(sum)] {
		if subtle.ConstantTimeCompare(e.sum[:], sum[:]) == 1 {
			found = e
		}
	}
	return found
}

func head(sum *[sha256.Size]byte) uint64 { return binary.LittleEndian.Uint64(sum[:8]) }

// at is the caller, if the key is still good.
func (e *entry) at(now time.Time) (*caller.Caller, error) {
	if !e.who.Expires.IsZero() && !now.Before(e.who.Expires) {
		return nil, refuse(Expired, "the key has expired; ask the operator for another one")
	}
	return &e.who, nil
}

// certified finds the caller of a certificate by its names: the common name and all alternative ones.
func (r *keyring) certified(c *x509.Certificate, now time.Time) (*caller.Caller, error) {
	k := r.held.Load()
	var found *entry
	for _, name := range namesOf(c) {
		switch e := k.byName[name]; {
		case e == nil || e == found:
		case found != nil:
			return nil, refuse(Ambiguous, "the client certificate has the names of several callers")
		default:
			found = e
		}
	}
	if found == nil {
		return nil, refuse(Nobody, "no key was sent, and the client certificate is of no caller that is known here")
	}
	return found.at(now)
}

// namesOf are all names of a certificate.
func namesOf(c *x509.Certificate) []string {
	names := slices.Concat(c.DNSNames, c.EmailAddresses)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if c.Subject.CommonName != "" {
		names = append(names, c.Subject.CommonName)
	}
	return names
}

// index makes the look-up tables, and finds what contradicts each other.
func index(list []*entry) (*keys, error) {
	k := &keys{count: len(list), byHead: make(map[uint64][]*entry, len(list)), byName: map[string]*entry{}}
	ids := map[string][]*entry{}
	var faults []error
	for _, e := range list {
		if e.sum != [sha256.Size]byte{} {
			if other := k.find(&e.sum); other != nil {
				faults = append(faults, at(e.line, "sha256: the same key as in line %d; each key belongs to one caller", other.line))
			}
			k.byHead[head(&e.sum)] = append(k.byHead[head(&e.sum)], e)
		}
		if e.name != "" {
			if other := k.byName[e.name]; other != nil {
				faults = append(faults, at(e.line, "certificate: %q is in line %d already", e.name, other.line))
			}
			k.byName[e.name] = e
		}
		ids[e.who.ID] = append(ids[e.who.ID], e)
		faults = append(faults, rotation(ids[e.who.ID])...)
	}
	return k, errors.Join(faults...)
}

// rotation checks the last of the entries of one id: several are keys of the same caller, of which all but one end.
func rotation(same []*entry) []error {
	if len(same) < 2 {
		return nil
	}
	e, first, lasting := same[len(same)-1], same[0], 0
	for _, s := range same {
		if s.who.Expires.IsZero() {
			lasting++
		}
	}
	switch {
	case e.who.Tenant != first.who.Tenant || e.who.Tier != first.who.Tier || e.who.Scopes != first.who.Scopes:
		return []error{at(e.line, "id: %q is in line %d already, with another tenant, tier or scopes; take another id", e.who.ID, first.line)}
	case lasting > 1:
		return []error{at(e.line, "id: %q is in line %d already; to replace a key, give the old one the time at which it expires", e.who.ID, first.line)}
	}
	return nil
}
