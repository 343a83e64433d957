package kserve

import (
	"context"
	"net/http"
	"strings"
)

// httpRoute is what is served at a path.
type httpRoute struct {
	path string // below /v2/: * is any part, # a part of digits, ** the rest
	rpc  string // the name of the same call in gRPC
	do   func(h *httpSide, ctx context.Context, c *httpCall) error
	// get and post say which methods are served; HEAD is where GET is.
	get, post bool
	long      bool // a call may take Limits.Longest
}

// httpRoutes is the table of routes. The first that fits counts.
var httpRoutes = []httpRoute{
	{path: "", rpc: "ServerMetadata", get: true, do: (*httpSide).serverMetadata},
	{path: "health/live", rpc: "ServerLive", get: true, do: (*httpSide).live},
	{path: "health/ready", rpc: "ServerReady", get: true, do: (*httpSide).serverReady},
	{path: "models/stats", rpc: "ModelStatistics", get: true, do: (*httpSide).modelStatistics},
	{path: "repository/index", rpc: "RepositoryIndex", post: true, do: (*httpSide).repositoryIndex},
	{path: "repository/models/*/load", rpc: "RepositoryModelLoad", post: true, do: (*httpSide).load},
	{path: "repository/models/*/unload", rpc: "RepositoryModelUnload", post: true, do: (*httpSide).unload},
	{path: "systemsharedmemory/**", rpc: "SharedMemory", get: true, post: true, do: noSharedMemory},
	{path: "cudasharedmemory/**", rpc: "SharedMemory", get: true, post: true, do: noSharedMemory},
	{path: "trace/**", rpc: "TraceSetting", get: true, post: true, do: noTrace},
	{path: "models/*/trace/setting", rpc: "TraceSetting", get: true, post: true, do: noTrace},
	{path: "logging", rpc: "LogSettings", get: true, post: true, do: refused("log settings are not served here; change them on the model server itself")},
	{path: "models/*", rpc: "ModelMetadata", get: true, do: (*httpSide).modelMetadata},
	{path: "models/*/infer", rpc: "ModelInfer", post: true, do: (*httpSide).inferTensors},
	{path: "models/*/generate", rpc: "ModelInfer", post: true, do: (*httpSide).generate},
	{path: "models/*/generate_stream", rpc: "ModelStreamInfer", post: true, long: true, do: (*httpSide).generateStream},
	{path: "models/*/ready", rpc: "ModelReady", get: true, do: (*httpSide).isReady},
	{path: "models/*/config", rpc: "ModelConfig", get: true, do: (*httpSide).modelConfig},
	{path: "models/*/stats", rpc: "ModelStatistics", get: true, do: (*httpSide).modelStatistics},
	{path: "models/*/versions/#", rpc: "ModelMetadata", get: true, do: (*httpSide).modelMetadata},
	{path: "models/*/versions/#/infer", rpc: "ModelInfer", post: true, do: (*httpSide).inferTensors},
	{path: "models/*/versions/#/generate", rpc: "ModelInfer", post: true, do: (*httpSide).generate},
	{path: "models/*/versions/#/generate_stream", rpc: "ModelStreamInfer", post: true, long: true, do: (*httpSide).generateStream},
	{path: "models/*/versions/#/ready", rpc: "ModelReady", get: true, do: (*httpSide).isReady},
	{path: "models/*/versions/#/config", rpc: "ModelConfig", get: true, do: (*httpSide).modelConfig},
	{path: "models/*/versions/#/stats", rpc: "ModelStatistics", get: true, do: (*httpSide).modelStatistics},
}

var (
	noSharedMemory = refused("shared memory is not served, as caller and model server may be on different machines; send the data with the request")
	noTrace        = refused("trace settings are not served here; change them on the model server itself")
)

func refused(text string) func(*httpSide, context.Context, *httpCall) error {
	return func(h *httpSide, ctx context.Context, c *httpCall) error { return h.refuse(text)(ctx, c) }
}

// find gives the route of a path, and sets model and version.
func (h *httpSide) find(c *httpCall, parts []string) (*httpRoute, bool) {
	for i := range httpRoutes {
		if t := &httpRoutes[i]; t.fits(parts) {
			if len(parts) > 1 && parts[0] == "models" && t.path != "models/stats" {
				c.model = parts[1]
			}
			if len(parts) > 3 && parts[0] == "models" && parts[2] == "versions" {
				c.version = parts[3]
			}
			if len(parts) > 2 && parts[0] == "repository" {
				c.model = parts[2]
			}
			return t, true
		}
	}
	return nil, false
}

// fits compares the parts of a path.
func (t *httpRoute) fits(parts []string) bool {
	rest := t.path
	for i, p := range parts {
		if rest == "**" {
			return true
		}
		want, more, _ := strings.Cut(rest, "/")
		switch {
		case want == "", want == "#" && !digits(p), want != "*" && want != "#" && want != p:
			return false
		case more == "**" && i == len(parts)-1:
			return true
		}
		rest = more
	}
	return rest == ""
}

// HTTPRoute is a route of KServe v2 over HTTP.
type HTTPRoute struct {
	Method, Path string // the path has sample values where it has parameters
	Call         string // the name that Gate is asked about
}

// HTTPRoutes are all routes over HTTP, each with each method that it has.
func HTTPRoutes() (list []HTTPRoute) {
	for _, t := range httpRoutes {
		path := strings.TrimSuffix("/v2/"+strings.NewReplacer("**", "x", "*", "m", "#", "1").Replace(t.path), "/")
		if t.get {
			list = append(list, HTTPRoute{http.MethodGet, path, t.rpc}, HTTPRoute{http.MethodHead, path, t.rpc})
		}
		if t.post {
			list = append(list, HTTPRoute{http.MethodPost, path, t.rpc})
		}
	}
	return list
}
