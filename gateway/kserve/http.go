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

// httpRoute is what is served at a path.
type httpRoute struct {
	rpc string // the name of the same call in gRPC
	do  func(ctx context.Context, c *httpCall) error
	// get and post say which methods are served; HEAD is where GET is.
	get, post bool
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
		ctx, cancel, err = h.deadline(ctx, r.Header)
	}
	defer cancel()
	if err == nil {
		err = route.do(ctx, c)
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
func (h *httpSide) route(c *httpCall) (httpRoute, error) {
	path, ok := strings.CutPrefix(c.r.URL.EscapedPath(), "/v2")
	if ok && path == "" {
		return httpRoute{rpc: "ServerMetadata", get: true, do: h.serverMetadata}, nil
	}
	if !ok || path[0] != '/' {
		return httpRoute{}, notServed()
	}
	var parts [8]string
	list := parts[:0]
	for part := range strings.SplitSeq(path[1:], "/") {
		part, err := url.PathUnescape(part)
		if err != nil || part == "" || len(list) == len(parts) {
			return httpRoute{}, notServed()
		}
		list = append(list, part)
	}
	if route, ok := h.find(c, list); ok {
		return route, nil
	}
	return httpRoute{}, notServed()
}

func notServed() error {
	return fault.New(fault.NotFound, "not_found", "Not Found: nothing is served at this path of /v2")
}

// find is the table of routes. Those of models come last.
func (h *httpSide) find(c *httpCall, p []string) (httpRoute, bool) {
	switch {
	case is(p, "health", "live"):
		return httpRoute{rpc: "ServerLive", get: true, do: h.live}, true
	case is(p, "health", "ready"):
		return httpRoute{rpc: "ServerReady", get: true, do: h.serverReady}, true
	case is(p, "models", "stats"):
		return httpRoute{rpc: "ModelStatistics", get: true, do: h.modelStatistics}, true
	case is(p, "repository", "index"):
		return httpRoute{rpc: "RepositoryIndex", post: true, do: h.repositoryIndex}, true
	case is(p, "repository", "models", "*", "load"):
		c.model = p[2]
		return httpRoute{rpc: "RepositoryModelLoad", post: true, do: h.load}, true
	case is(p, "repository", "models", "*", "unload"):
		c.model = p[2]
		return httpRoute{rpc: "RepositoryModelUnload", post: true, do: h.unload}, true
	case p[0] == "systemsharedmemory", p[0] == "cudasharedmemory":
		return httpRoute{rpc: "SharedMemory", get: true, post: true, do: h.refuse("shared memory is not served, as caller and model server may be on different machines; send the data with the request")}, true
	case p[0] == "trace", len(p) == 4 && is(p, "models", "*", "trace", "setting"):
		return httpRoute{rpc: "TraceSetting", get: true, post: true, do: h.refuse("trace settings are not served here; change them on the model server itself")}, true
	case is(p, "logging"):
		return httpRoute{rpc: "LogSettings", get: true, post: true, do: h.refuse("log settings are not served here; change them on the model server itself")}, true
	}
	if len(p) < 2 || p[0] != "models" {
		return httpRoute{}, false
	}
	c.model, p = p[1], p[2:]
	if len(p) >= 2 && p[0] == "versions" {
		if !digits(p[1]) {
			return httpRoute{}, false
		}
		c.version, p = p[1], p[2:]
	}
	switch {
	case len(p) == 0:
		return httpRoute{rpc: "ModelMetadata", get: true, do: h.modelMetadata}, true
	case is(p, "infer"):
		return httpRoute{rpc: "ModelInfer", post: true, do: h.inferTensors}, true
	case is(p, "ready"):
		return httpRoute{rpc: "ModelReady", get: true, do: h.isReady}, true
	case is(p, "config"):
		return httpRoute{rpc: "ModelConfig", get: true, do: h.modelConfig}, true
	case is(p, "stats"):
		return httpRoute{rpc: "ModelStatistics", get: true, do: h.modelStatistics}, true
	}
	return httpRoute{}, false
}

// is compares a path; * stands for any one part.
func is(path []string, want ...string) bool {
	if len(path) != len(want) {
		return false
	}
	for i, w := range want {
		if w != "*" && w != path[i] {
			return false
		}
	}
	return true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" && s != "" }
