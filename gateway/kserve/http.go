package kserve

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// httpSide is the HTTP transport: it turns requests into calls of core.go, and errors into Triton's {"error":"..."}.
type httpSide struct {
	*Server
	admin     bool
	drain     time.Duration
	inflaters inflaters
	answers   sync.Pool // of *httpAnswer
	deflaters deflaters
}

// HTTP serves KServe v2 with the binary tensor extension, at /v2 and below. With admin, models can be loaded and unloaded. It has to be mounted
// without a prefix, on a server of HTTP/1.1 or 2 that sets a deadline for headers; deadlines for bodies and calls are set here.
func (s *Server) HTTP(admin bool) http.Handler {
	return &httpSide{Server: s, admin: admin, drain: drainTime}
}

// httpCall is one request on its way.
type httpCall struct {
	http.ResponseWriter
	r              *http.Request
	model, version string // from the path; "" where it has none
	known          bool   // the model exists
	early          bool   // an answer may go out before the whole body has come in
}

// ServeHTTP answers one request.
func (h *httpSide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := &httpCall{ResponseWriter: w, r: r}
	route, err := h.route(c)
	if err == nil {
		err = route.allows(c)
	}
	if err == nil {
		err = h.allow(c, route.rpc)
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if err == nil {
		ctx, cancel, err = h.deadline(ctx, r.Header, route.long)
	}
	defer cancel()
	if err == nil {
		err = route.do(h, ctx, c)
	}
	code, abort := Code{HTTP: http.StatusOK}, false
	if err != nil {
		code, abort = h.fail(c, err)
	}
	if h.Observe != nil {
		model := ""
		if c.known {
			model = c.model
		}
		h.Observe(r.Context(), "http", route.rpc, model, code, time.Since(start))
	}
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// allows answers a method that is not served.
func (t *httpRoute) allows(c *httpCall) error {
	switch m := c.r.Method; {
	case t.get && (m == http.MethodGet || m == http.MethodHead), t.post && m == http.MethodPost:
		return nil
	}
	var list []string
	if t.get {
		list = append(list, "GET", "HEAD")
	}
	if t.post {
		list = append(list, "POST")
	}
	allow := strings.Join(list, ", ")
	c.Header().Set("Allow", allow)
	return fault.New(fault.MethodNotAllowed, "method_not_allowed", "Method Not Allowed: %s is not served at this path; allowed: %s", clip(c.r.Method), allow)
}

// route finds what is served at the path, and sets model and version.
func (h *httpSide) route(c *httpCall) (*httpRoute, error) {
	path, ok := strings.CutPrefix(c.r.URL.EscapedPath(), "/v2")
	if ok && path == "" {
		return &httpRoutes[0], nil
	}
	if !ok || path[0] != '/' {
		return noRoute, notServed()
	}
	var parts [8]string
	list := parts[:0]
	for part := range strings.SplitSeq(path[1:], "/") {
		part, err := url.PathUnescape(part)
		if err != nil || part == "" || len(list) == len(parts) {
			return noRoute, notServed()
		}
		list = append(list, part)
	}
	if route, ok := h.find(c, list); ok {
		return route, nil
	}
	return noRoute, notServed()
}

// noRoute is that of a path where nothing is served.
var noRoute = &httpRoute{}

func notServed() error {
	return fault.New(fault.NotFound, "not_found", "Not Found: nothing is served at this path of /v2")
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" && s != "" }
