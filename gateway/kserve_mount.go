package gateway

import (
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// protocol is KServe v2 as package kserve serves it.
type protocol interface {
	// HTTP serves the paths under /v2; with admin also what only operators may do.
	HTTP(admin bool) http.Handler
	// GRPCHandler serves gRPC calls that come over an HTTP/2 server of net/http.
	GRPCHandler(admin bool) http.Handler
	// ServeGRPC serves gRPC until Shutdown.
	ServeGRPC(l net.Listener, admin bool) error
}

// underKServe reports whether a path belongs to KServe v2, whose errors have a form of their own.
func underKServe(path string) bool { return path == "/v2" || strings.HasPrefix(path, "/v2/") }

// mountKServe adds KServe v2 over HTTP to a table of routes. It has its own errors, deadlines and methods.
func (s *server) mountKServe(e *gin.Engine, admin bool) {
	next := s.kserve.HTTP(admin)
	for _, path := range []string{"/v2", "/v2/*path"} {
		e.Any(path, func(c *gin.Context) {
			stateOf(c).model = modelOf(c.Param("path"))
			next.ServeHTTP(c.Writer, c.Request)
		})
	}
}

// modelOf finds the model's name in a path such as /models/NAME/infer; "" where there is none.
func modelOf(path string) string {
	rest, found := strings.CutPrefix(path, "/models/")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// withGRPC sends gRPC calls to calls, and everything else to next.
func withGRPC(calls, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
