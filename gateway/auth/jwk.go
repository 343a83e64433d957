package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

const (
	leastRSA = 2048 // bits
	mostRSA  = 8192 // above, one signature costs milliseconds
)

// jwk is a public key by RFC 7517 and 7518. Private members are not looked at.
type jwk struct {
	Kind      string   `json:"kty"`
	Use       string   `json:"use"`
	Ops       []string `json:"key_ops"`
	Algorithm string   `json:"alg"`
	ID        string   `json:"kid"`
	Curve     string   `json:"crv"`
	N         string   `json:"n"`
	E         string   `json:"e"`
	X         string   `json:"x"`
	Y         string   `json:"y"`
}

// parseSet reads a JWKS. Keys of other kinds, or for other uses, are passed over, as RFC 7517 wants; a set without any that can be used is an error, and so is one
// with a key that is wrong in itself.
func parseSet(data []byte) (*signers, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("it is no JSON of the form {\"keys\":[...]}")
	}
	if len(set.Keys) > mostSigners {
		return nil, fmt.Errorf("it has %d keys; at most %d are taken", len(set.Keys), mostSigners)
	}
	out := &signers{}
	ids := map[string]bool{}
	for i, raw := range set.Keys {
		var k jwk
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, fmt.Errorf("keys[%d] is no key", i)
		}
		if k.Use != "" && k.Use != "sig" || len(k.ID) > maxName*2 {
			continue
		}
		key, err := k.public()
		switch {
		case err != nil:
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		case key == nil:
			continue
		case ids[k.ID]:
			return nil, fmt.Errorf("keys[%d] has the same kid as another", i)
		}
		ids[k.ID] = true
		out.keys = append(out.keys, signer{k.ID, k.Algorithm, key})
	}
	if len(out.keys) == 0 {
		return nil, errors.New("it has no key that signatures can be checked by: RSA, EC or Ed25519")
	}
	return out, nil
}

// public makes the key; nil for a kind that is not used here.
func (k *jwk) public() (crypto.PublicKey, error) {
	switch k.Kind {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ec()
	case "OKP":
		if k.Curve != "Ed25519" {
			return nil, nil //nolint:nilnil // no key, and nothing wrong
		}
		x, err := bytesOf(k.X, "x")
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.Join(err, errors.New("x is no Ed25519 key"))
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, nil //nolint:nilnil // no key, and nothing wrong
}

func (k *jwk) rsa() (crypto.PublicKey, error) {
	n, err1 := bytesOf(k.N, "n")
	e, err2 := bytesOf(k.E, "e")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	if bits := key.N.BitLen(); bits < leastRSA || bits > mostRSA {
		return nil, fmt.Errorf("an RSA key of %d bits; %d to %d are taken", bits, leastRSA, mostRSA)
	}
	exponent := new(big.Int).SetBytes(e)
	if len(e) > 4 || exponent.Int64() < 3 || exponent.Int64()%2 == 0 || exponent.Int64() > 1<<31-1 {
		return nil, errors.New("e is no exponent of RSA")
	}
	key.E = int(exponent.Int64())
	return key, nil
}

func (k *jwk) ec() (crypto.PublicKey, error) {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Curve]
	if curve == nil {
		return nil, nil //nolint:nilnil // no key, and nothing wrong
	}
	x, err1 := bytesOf(k.X, "x")
	y, err2 := bytesOf(k.Y, "y")
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, fmt.Errorf("x and y of %s have %d bytes each", k.Curve, size)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, errors.New("x and y are no point of " + k.Curve)
	}
	return key, nil
}

func bytesOf(text, member string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s is missing, or no base64url", member)
	}
	return b, nil
}
