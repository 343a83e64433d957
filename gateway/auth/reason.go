package auth

import (
	"errors"

	"triton-gateway/internal/fault"
)

// Reason is why a caller was refused, in a word for metrics.
type Reason string

// The reasons.
const (
	Missing    Reason = "missing"     // nothing was sent
	Malformed  Reason = "malformed"   // what was sent is no key
	Contradict Reason = "contradict"  // two keys that are not the same
	Unknown    Reason = "unknown"     // no key of the file
	Expired    Reason = "expired"     // a key, a token or a certificate that was good once
	BadToken   Reason = "bad_token"   // a token that is not for here, or of nobody who may sign
	BadClaims  Reason = "bad_claims"  // a good token that does not say whose it is
	Ambiguous  Reason = "ambiguous"   // a certificate with the names of several callers
	Nobody     Reason = "certificate" // a certificate of no caller
)

// Reasons are all of them, in the order of the constants.
func Reasons() []Reason {
	return []Reason{Missing, Malformed, Contradict, Unknown, Expired, BadToken, BadClaims, Ambiguous, Nobody}
}

// Error makes a Reason a cause.
func (r Reason) Error() string { return "auth: " + string(r) }

// refuse makes the error of a refused caller. The text is public and shows nothing of what was sent.
func refuse(why Reason, format string, args ...any) error {
	return fault.New(fault.Unauthenticated, "unauthenticated", format, args...).Wrap(why)
}

// ReasonOf finds the Reason of an error; "" where it has none.
func ReasonOf(err error) (r Reason) {
	errors.As(err, &r)
	return r
}
