package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"triton-gateway/internal/edge"
	"triton-gateway/internal/fault"
)

// serverDeps is what the HTTP side is made of. All fields but Fetcher and Audit are needed.
type serverDeps struct {
	Runner   runner
	Preview  previewer
	Models   modelSource
	Admin    administrator
	KServe   protocol
	Jobs     *jobSide
	Streams  *streamSide   // nil: there are none
	Routes   *routeSide    // nil: there are none
	Switches *switches     // nil: no model can be switched
	Shadows  *shadows      // nil: there are none
	Bytes    byteBudget    // of all bodies in memory at the same time
	Promise  *edge.Promise // what is lent of it to bodies that are to come; nil: any
	Cut      *edge.Counts  // clients that were cut off; may be nil
	Fetcher  fetcher       // nil: no pictures by URL
	Audit    auditor       // of the zero value: nothing is noted
	Metrics  *metrics
	Quotas   *quotas
	Gate     *gate // nil: nobody is asked who they are
	Tiers    ceilings
	Limits   httpLimits
	Build    buildInfo
	Log      *slog.Logger
	Now      func() time.Time

	Browsers browserRules
}

// httpLimits bound one request.
type httpLimits struct {
	Body    int64         // bytes
	Items   int           // pictures or rows
	Timeout time.Duration // from the end of the body to the answer
	Rate    edge.Rate     // at which bodies have to come
}

// buildInfo says what is running.
type buildInfo struct {
	Version string // of the gateway
	Commit  string
	Backend string // embedded or triton
}

// administrator is what the admin routes do.
type administrator interface {
	// Purge drops the stored answers of a model, or of all where model is "".
	Purge(ctx context.Context, model string) error
	// Reload reads the model repository again, now.
	Reload(ctx context.Context) error
}

// server is the HTTP side: it turns requests into calls of the pipeline, and faults into problem documents.
type server struct {
	runner   runner
	preview  previewer
	models   modelSource
	admin    administrator
	kserve   protocol
	jobs     *jobSide
	streams  *streamSide // nil: there are none
	routes   *routeSide  // nil: there are none
	switches *switches   // nil: no model can be switched
	shadows  *shadows    // nil: there are none
	bodies   *bodyPool
	places   edge.Places
	fetcher  fetcher // nil: no pictures by URL
	audit    auditor
	metrics  *metrics
	quotas   *quotas
	gate     *gate // nil: nobody is asked who they are
	stats    *stats
	tiers    ceilings
	limits   httpLimits
	rules    browserRules
	build    buildInfo
	log      *slog.Logger
	now      func() time.Time
	draining atomic.Bool
}

// newServer makes the HTTP side.
func newServer(d serverDeps) *server {
	return &server{
		runner:   d.Runner,
		preview:  d.Preview,
		models:   d.Models,
		admin:    d.Admin,
		kserve:   d.KServe,
		jobs:     d.Jobs,
		streams:  d.Streams,
		routes:   d.Routes,
		switches: d.Switches,
		shadows:  d.Shadows,
		bodies:   &bodyPool{limit: d.Limits.Body, budget: d.Bytes, rate: d.Limits.Rate, promise: d.Promise, cut: d.Cut},
		fetcher:  d.Fetcher,
		audit:    d.Audit,
		metrics:  d.Metrics,
		quotas:   d.Quotas,
		gate:     d.Gate,
		stats:    newStats(d.Now()),
		tiers:    d.Tiers,
		limits:   d.Limits,
		rules:    d.Browsers,
		build:    d.Build,
		log:      d.Log,
		now:      d.Now,
	}
}

// drain makes readyz say no from now on, so that no new traffic is sent here while the rest is finished.
func (s *server) drain() { s.draining.Store(true) }

// engine makes a bare router that answers what it does not know with problem documents.
func (s *server) engine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.UseRawPath = true
	e.UnescapePathValues = true
	e.NoRoute(s.handle(func(c *gin.Context) error {
		return fault.New(fault.NotFound, "not_found", "nothing is served at %s; /docs lists what is", clip(c.Request.URL.Path))
	}))
	e.NoMethod(s.handle(func(c *gin.Context) error {
		return fault.New(fault.MethodNotAllowed, "method_not_allowed", "%s is not served at this path; allowed: %s", clip(c.Request.Method), c.Writer.Header().Get("Allow"))
	}))
	e.Use(mark, noteOrigin)
	return e
}

// handler serves the public listener.
func (s *server) handler() http.Handler {
	return s.parting(s.chain(s.browsers(s.publicRoutes(), s.rules)))
}

// parting closes each connection with its next answer once this gateway is going away. Connections between two requests are left alone: closing
// one may cross with a request that the client has sent.
func (s *server) parting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// publicRoutes is the table of the public listener's routes.
func (s *server) publicRoutes() *gin.Engine {
	e := s.engine()
	e.Use(s.guard(false))

	e.Use(s.metered)
	e.POST("/v1/models/:model/infer", s.handle(s.infer))
	e.GET("/v1/models/:model/infer", s.handle(s.inferRow))
	e.POST("/v1/models/:model/versions/:version/infer", s.handle(s.infer))
	e.GET("/v1/models/:model/versions/:version/infer", s.handle(s.inferRow))
	e.POST("/v1/models/:model/preview", s.handle(s.show))
	e.POST("/v1/models/:model/versions/:version/preview", s.handle(s.show))
	e.GET("/v1/models/:model/results/:sha256", s.handle(s.byDigest))
	e.GET("/v1/models/:model/samples/:file", s.handle(s.sample))
	e.POST("/v1/routes/:name/explain", s.handle(s.explain))
	s.registerJobs(e)
	s.registerStreams(e)

	api := s.typedAPI(e)
	s.registerModels(api)
	s.registerLint(api)
	s.registerRoutes(api)
	s.registerRouteChanges(api)
	s.registerSwitches(api)
	s.registerShadows(api)
	s.registerCanaries(api)
	s.registerStats(api)
	s.registerQuota(api)
	s.registerAdmin(api)
	document := s.document(api)

	s.mountKServe(e, false)

	for _, method := range []string{http.MethodGet, http.MethodHead} {
		e.Handle(method, "/livez", s.live)
		e.Handle(method, "/readyz", s.handle(s.ready))
		e.Handle(method, "/openapi.json", secure, document)
	}
	if s.gate == nil {
		e.GET("/metrics", s.scrape())
	}
	s.registerPages(e)
	return e
}

// adminRoutes is the table of the admin listener's routes.
func (s *server) adminRoutes() *gin.Engine {
	e := s.engine()
	e.Use(s.guard(true))
	api := s.typedAPI(e)
	s.registerAdmin(api)
	s.registerRoutes(api)
	s.registerRouteChanges(api)
	s.registerSwitches(api)
	s.registerShadows(api)
	s.registerCanaries(api)
	e.POST("/v1/routes/:name/explain", s.handle(s.explain))
	s.registerJobs(e)
	s.mountKServe(e, true)
	e.GET("/livez", s.live)
	e.GET("/readyz", s.handle(s.ready))
	e.GET("/metrics", s.scrape())
	for path, h := range map[string]http.HandlerFunc{
		"/debug/pprof/":        pprof.Index,
		"/debug/pprof/cmdline": pprof.Cmdline,
		"/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol":  pprof.Symbol,
		"/debug/pprof/trace":   pprof.Trace,
	} {
		e.GET(path, gin.WrapF(h))
	}
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		e.GET("/debug/pprof/"+name, gin.WrapH(pprof.Handler(name)))
	}
	return e
}

// adminHandler serves the admin listener.
func (s *server) adminHandler() http.Handler {
	e := s.adminRoutes()
	return s.parting(s.chain(s.browsers(e, browserRules{})))
}

func (s *server) scrape() gin.HandlerFunc {
	return gin.WrapH(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4}))
}
