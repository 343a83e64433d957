package auth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// longest is how many bytes a key or token may have; tokens of identity providers with many groups have some thousand.
const longest = 16 << 10

// credential reads the one secret that a request shows; "" where it shows none. Sent in both headers, it has to be the same.
func credential(p Presented) (string, error) {
	if len(p.Authorization) > 1 || len(p.APIKey) > 1 {
		return "", refuse(Malformed, "a header of the key was sent several times; send it once")
	}
	bearer, key := "", ""
	if len(p.Authorization) == 1 {
		var ok bool
		if bearer, ok = bearerOf(p.Authorization[0]); !ok {
			return "", refuse(Malformed, "the header Authorization is not of the form Bearer KEY, with a key of visible ASCII characters, at most %d bytes", longest)
		}
	}
	if len(p.APIKey) == 1 {
		if key = p.APIKey[0]; !secretText(key) {
			return "", refuse(Malformed, "the header X-API-Key does not hold a key of visible ASCII characters, at most %d bytes", longest)
		}
	}
	if bearer != "" && key != "" && subtle.ConstantTimeCompare([]byte(bearer), []byte(key)) != 1 {
		return "", refuse(Contradict, "Authorization and X-API-Key hold different keys; send one of them")
	}
	if bearer != "" {
		return bearer, nil
	}
	return key, nil
}

// bearerOf reads "Bearer SECRET", by https://www.rfc-editor.org/rfc/rfc9110#section-11.4: the scheme in any case, then one or more blanks.
func bearerOf(header string) (secret string, ok bool) {
	const scheme = "bearer"
	if len(header) <= len(scheme) || header[len(scheme)] != ' ' {
		return "", false
	}
	for i := range len(scheme) {
		if header[i]|0x20 != scheme[i] {
			return "", false
		}
	}
	secret = header[len(scheme):]
	for secret != "" && secret[0] == ' ' {
		secret = secret[1:]
	}
	return secret, secretText(secret)
}

// secretText reports whether a text may be a key: visible ASCII characters.
func secretText(s string) bool {
	if s == "" || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// digest is the SHA-256 of a secret, by which it is looked for. Usual keys cost no allocation.
func digest(secret string) [sha256.Size]byte {
	var room [128]byte
	return sha256.Sum256(append(room[:0], secret...))
}
