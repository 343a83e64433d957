package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"triton-gateway/internal/caller"
)

// keyMark begins the keys that are made here, so that programs which look for secrets in code find them.
const keyMark = "tgk_"

// Mint makes a key of 256 random bits, and its line of keys.yaml. who.Expires may be zero. The key is kept nowhere.
func Mint(who caller.Caller) (key, line string, err error) {
	for member, text := range map[string]string{"id": who.ID, "tenant": who.Tenant, "tier": who.Tier} {
		if !name(text) && !(member == "tier" && text == "") {
			return "", "", fmt.Errorf("%s: write 1 to %d visible ASCII characters without blanks", member, maxName)
		}
	}
	if who.Scopes == 0 {
		return "", "", errors.New("scopes: name some of infer, jobs and admin")
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // does not fail, by its documentation
	key = keyMark + base64.RawURLEncoding.EncodeToString(secret[:])
	var b strings.Builder
	fmt.Fprintf(&b, `- {id: %q, sha256: "%x", tenant: %q`, who.ID, sha256.Sum256([]byte(key)), who.Tenant)
	if who.Tier != "" {
		fmt.Fprintf(&b, ", tier: %q", who.Tier)
	}
	fmt.Fprintf(&b, ", scopes: [%s]", strings.ReplaceAll(who.Scopes.String(), " ", ", "))
	if !who.Expires.IsZero() {
		fmt.Fprintf(&b, ", expires: %s", who.Expires.UTC().Format(time.RFC3339))
	}
	b.WriteString("}")
	line = b.String()
	if _, err := parseKeys([]byte("keys:\n" + line + "\n")); err != nil {
		return "", "", err // of a text that YAML reads in another way
	}
	return key, line, nil
}
