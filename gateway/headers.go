package gateway

import (
	"net/http"
	"strings"
)

// What every answer says to browsers, unless its handler says otherwise; http.Header wants a slice each. An answer of the API is no page: nothing is loaded
// for it, nothing frames it, no other site embeds it. https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html
var (
	nosniff      = []string{"nosniff"}
	noReferrer   = []string{"no-referrer"}
	ownOrigin    = []string{"same-origin"}
	nothingToRun = []string{"default-src 'none'; frame-ancestors 'none'"}
	notKept      = []string{"no-store"}
	askedAgain   = []string{"private, no-cache"}
)

func setSecurity(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Content-Security-Policy"] = nothingToRun
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Resource-Policy"] = ownOrigin
}

// personal says that the answer is for who sent a key: caches that are shared must not keep it. They know Authorization by themselves, and X-API-Key not at all.
func personal(h http.Header) bool { return h["Authorization"] != nil || h["X-Api-Key"] != nil }

// keepPrivate changes what an answer says about being kept. A browser may keep what is for its user, for requests with the same key.
func keepPrivate(h http.Header) {
	values := h["Cache-Control"]
	switch {
	case len(values) == 0 && h["Etag"] != nil:
		h["Cache-Control"] = askedAgain
	case len(values) == 0:
		h["Cache-Control"] = notKept
		return
	case strings.Contains(values[0], "no-store"), strings.Contains(values[0], "private"):
		return
	default:
		h["Cache-Control"] = []string{"private, " + strings.TrimPrefix(values[0], "public, ")}
	}
	h.Add("Vary", "Authorization, X-API-Key")
}
