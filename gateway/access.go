package gateway

import "triton-gateway/internal/caller"

// need is who may use a route while callers have to say who they are.
type need struct {
	open   bool          // everybody, without a key
	scope  caller.Scopes // a key with these
	or     caller.Scopes // or a key with these; none of them: no other
	inside bool          // while nobody is asked who they are: on the admin listener alone
}

var (
	everybody = need{open: true}
	anybody   = need{} // who has any key
	askers    = need{scope: caller.Infer}
	readers   = need{scope: caller.Infer, or: caller.Admin} // of what is there to be asked
	workers   = need{scope: caller.Jobs}
	operators = need{scope: caller.Admin}
	insiders  = need{scope: caller.Admin, inside: true}
)

// routeKey is a route of the router: its method and the template of its path.
type routeKey struct{ method, path string }

// access says of every route who may use it. A route that is not here is the operators' alone; a test fails then. On the admin listener all that is not open is theirs.
var access = map[routeKey]need{
	{"POST", "/v1/models/:model/infer"}:                     askers,
	{"GET", "/v1/models/:model/infer"}:                      askers,
	{"POST", "/v1/models/:model/versions/:version/infer"}:   askers,
	{"GET", "/v1/models/:model/versions/:version/infer"}:    askers,
	{"POST", "/v1/models/:model/preview"}:                   askers,
	{"POST", "/v1/models/:model/versions/:version/preview"}: askers,
	{"POST", "/v1/models/:model/stream"}:                    askers,
	{"POST", "/v1/models/:model/versions/:version/stream"}:  askers,
	{"GET", "/v1/streams/:id"}:                              askers, // of the own tenant
	{"GET", "/v1/models/:model/ws"}:                         askers,
	{"GET", "/v1/models/:model/versions/:version/ws"}:       askers,
	{"GET", "/v1/models/:model/results/:sha256"}:            askers,
	{"GET", "/v1/models/:model/samples/:file"}:              askers,
	{"GET", "/v1/models/:model/labels"}:                     askers,
	{"GET", "/v1/models/:model/lint"}:                       readers,
	{"GET", "/v1/models/:model"}:                            readers,
	{"GET", "/v1/models"}:                                   readers,
	{"POST", "/v1/routes/:name/explain"}:                    readers,
	{"GET", "/v1/routes/:name"}:                             readers,
	{"GET", "/v1/routes"}:                                   readers,
	{"GET", "/v1/stats"}:                                    askers, // of the own tenant; operators see all

	{"GET", "/v1/quota"}: anybody, // of the own key; operators see all

	{"POST", "/v1/jobs"}:           workers,
	{"GET", "/v1/jobs"}:            workers,
	{"GET", "/v1/jobs/:id"}:        workers,
	{"DELETE", "/v1/jobs/:id"}:     workers,
	{"POST", "/v1/jobs/:id/retry"}: workers,
	{"GET", "/v1/jobs/:id/events"}: workers,

	{"DELETE", "/v1/cache"}:               insiders,
	{"POST", "/v1/reload"}:                insiders,
	{"PUT", "/v1/routes/:name"}:           insiders,
	{"DELETE", "/v1/routes/:name"}:        insiders,
	{"POST", "/v1/routes/:name/rollback"}: insiders,
	{"GET", "/v1/routes/:name/versions"}:  insiders,
	{"GET", "/v1/routes/:name/canary"}:    insiders,
	{"POST", "/v1/routes/:name/promote"}:  insiders,
	{"POST", "/v1/routes/:name/pause"}:    insiders,
	{"POST", "/v1/routes/:name/resume"}:   insiders,

	{"POST", "/v1/models/:model/switch"}:          insiders,
	{"GET", "/v1/models/:model/switch"}:           insiders,
	{"DELETE", "/v1/models/:model/switch"}:        insiders,
	{"POST", "/v1/models/:model/switch/rollback"}: insiders,
	{"POST", "/v1/models/:model/switch/settle"}:   insiders,

	{"GET", "/v1/routes/:name/shadow"}:        insiders,
	{"GET", "/v1/routes/:name/disagreements"}: insiders, // they are of all tenants

	{"GET", "/livez"}:             everybody,
	{"HEAD", "/livez"}:            everybody,
	{"GET", "/readyz"}:            everybody,
	{"HEAD", "/readyz"}:           everybody,
	{"GET", "/openapi.json"}:      everybody,
	{"HEAD", "/openapi.json"}:     everybody,
	{"GET", "/"}:                  everybody,
	{"HEAD", "/"}:                 everybody,
	{"GET", "/docs"}:              everybody,
	{"HEAD", "/docs"}:             everybody,
	{"GET", "/ui/:digest/*name"}:  everybody,
	{"HEAD", "/ui/:digest/*name"}: everybody,

	// The admin listener alone; /metrics is on the public one while nobody is asked who they are.
	{"GET", "/metrics"}:                  operators,
	{"GET", "/debug/pprof/"}:             operators,
	{"GET", "/debug/pprof/cmdline"}:      operators,
	{"GET", "/debug/pprof/profile"}:      operators,
	{"GET", "/debug/pprof/symbol"}:       operators,
	{"GET", "/debug/pprof/trace"}:        operators,
	{"GET", "/debug/pprof/allocs"}:       operators,
	{"GET", "/debug/pprof/block"}:        operators,
	{"GET", "/debug/pprof/goroutine"}:    operators,
	{"GET", "/debug/pprof/heap"}:         operators,
	{"GET", "/debug/pprof/mutex"}:        operators,
	{"GET", "/debug/pprof/threadcreate"}: operators,
}

// kserveAccess says the same of the calls of KServe v2, over HTTP and gRPC, by their names. Health over gRPC (grpc.health.v1) is open.
var kserveAccess = map[string]need{
	"ServerLive": askers, "ServerReady": askers, "ModelReady": askers, "ServerMetadata": askers, "ModelMetadata": askers, "ModelConfig": askers, "RepositoryIndex": askers,
	"ModelInfer": askers, "ModelStreamInfer": askers,

	"ModelStatistics":     operators, // they are of all tenants together
	"RepositoryModelLoad": operators, "RepositoryModelUnload": operators,
	"SystemSharedMemoryStatus": operators, "SystemSharedMemoryRegister": operators, "SystemSharedMemoryUnregister": operators,
	"CudaSharedMemoryStatus": operators, "CudaSharedMemoryRegister": operators, "CudaSharedMemoryUnregister": operators,
	"SharedMemory": operators, "TraceSetting": operators, "LogSettings": operators,

	"": anybody, // a method or service that there is not
}

// needOf says who may use a route. What the router does not know needs a key too: without one, nobody learns which paths there are.
func needOf(method, path string) need {
	if path == "" || underKServe(path) { // KServe v2 asks about its calls itself
		return anybody
	}
	if n, found := access[routeKey{method, path}]; found {
		return n
	}
	return operators
}

// needOfCall is needOf for a call of KServe v2.
func needOfCall(name string) need {
	if n, found := kserveAccess[name]; found {
		return n
	}
	return operators
}

// met reports whether a caller with these scopes may.
func (n need) met(has caller.Scopes) bool { return has.Has(n.scope) || n.or != 0 && has.Has(n.or) }

// on is the need on a listener.
func (n need) on(admin bool) need {
	if admin && !n.open {
		return operators
	}
	return n
}
