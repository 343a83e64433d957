package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"triton-gateway/internal/fault"
)

// browserRules are what pages in browsers may do with the public listener. The zero value lets pages of the gateway's own origin call it, and no others.
type browserRules struct {
	origins *origins      // nil: none but its own
	hsts    time.Duration // 0: nothing is said
}

// exposed are the headers of answers that pages may read besides those that every page may: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name.
var exposed = []string{"Allow", "Cache-Status", "Content-Disposition", "Content-Encoding", "ETag", "Idempotency-Replayed", "Inference-Header-Content-Length", "Link", "Location",
	"Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Cache", "X-Model-Version", "X-Priority-Effective", "X-Request-Id", "X-Route"}

// The values that do not change; http.Header wants a slice each.
var (
	exposedHeaders = []string{strings.Join(exposed, ", ")}
	allowedMethods = []string{"GET, HEAD, POST, PUT, DELETE"}
	anyOrigin      = []string{"*"}
	askedAge       = []string{strconv.Itoa(int(preflightAge.Seconds()))}
)

const (
	// preflightAge is how long browsers need not ask again; Chromium takes no more.
	preflightAge = 2 * time.Hour
	// longestAsked bounds the names of headers that a preflight asks for.
	longestAsked = 4 << 10 // bytes
)

// browsers answers what browsers ask before a page may call, and keeps pages of foreign origins from doing anything. It stands before the authentication: a
// preflight carries no key. No answer ever allows credentials: a page needs a key of its own.
func (s *server) browsers(next http.Handler, rules browserRules) http.Handler {
	transport := []string{"max-age=" + strconv.FormatInt(int64(rules.hsts.Seconds()), 10)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rules.hsts > 0 && r.TLS != nil {
			w.Header()["Strict-Transport-Security"] = transport
		}
		if rules.origins != nil || r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil {
			if s.cors(w, r, rules.origins) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// cors sets the headers, and reports whether it has answered the request.
func (s *server) cors(w http.ResponseWriter, r *http.Request, list *origins) (answered bool) {
	h := w.Header()
	if list != nil && !list.any {
		h.Add("Vary", "Origin") // also where there is none: the same answer may be kept for a page
	}
	name := ""
	if values := r.Header["Origin"]; len(values) > 0 {
		name = values[0]
	}
	allowed := name != "" && len(r.Header["Origin"]) == 1 && list.allows(name)
	if allowed {
		value := anyOrigin
		if !list.any {
			value = r.Header["Origin"]
		}
		h["Access-Control-Allow-Origin"] = value
	}
	if list != nil && r.Method == http.MethodOptions && name != "" && r.Header["Access-Control-Request-Method"] != nil {
		s.preflight(w, r, allowed, name)
		return true
	}
	if allowed {
		h["Access-Control-Expose-Headers"] = exposedHeaders
		h["Timing-Allow-Origin"] = h["Access-Control-Allow-Origin"]
		return false
	}
	if foreign(r, name) {
		s.turnAway(w, r, name)
		return true
	}
	return false
}

// preflight says what a page may send.
func (s *server) preflight(w http.ResponseWriter, r *http.Request, allowed bool, name string) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	if !allowed {
		s.turnAway(w, r, name)
		return
	}
	h["Access-Control-Allow-Methods"] = allowedMethods
	if asked := r.Header["Access-Control-Request-Headers"]; len(asked) == 1 && headerNames(asked[0]) {
		h["Access-Control-Allow-Headers"] = asked // no header means anything by itself here: what it may do, the key says
	}
	h["Access-Control-Max-Age"] = askedAge
	w.WriteHeader(http.StatusNoContent)
}

// turnAway refuses what a page of another origin asks.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, name string) {
	if name == "" {
		name = "another origin"
	}
	err := fault.New(fault.Forbidden, "forbidden", "pages of %s may not call this gateway; cors.origins of its settings lists those that may", clip(name))
	id := ""
	if st, ok := w.(*state); ok {
		id, st.code = st.id, err.Code
	}
	answerFirst(w, r, func() { writeProblem(w, r, newProblem(err, id)) })
}

// foreign reports whether a page of another origin sends a request that may do something. Browsers let pages send some without asking before, and only keep
// the answer from them. What no browser sends is not meant. By the way of https://pkg.go.dev/net/http#CrossOriginProtection.
func foreign(r *http.Request, name string) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	if site := r.Header["Sec-Fetch-Site"]; len(site) > 0 {
		return !slices.Contains([]string{"same-origin", "none"}, site[0])
	}
	_, host, _ := strings.Cut(name, "://")
	return name != "" && !strings.EqualFold(host, r.Host)
}

// headerNames says that a list of names may stand in an answer.
func headerNames(list string) bool {
	if len(list) > longestAsked {
		return false
	}
	return strings.Trim(list, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~, ") == ""
}
