// Package gateway puts the parts together and speaks HTTP: it is the one package that knows Gin and statuses. What is done
// with a request is package pipeline's; who runs the tensors is package backend's.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/batch"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/gateway/telemetry"
	"triton-gateway/internal/edge"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/servercert"
	"triton-gateway/preprocess"
)

// Build says what was built; the linker knows.
type Build struct{ Version, Commit string }

// Gateway is a running gateway. Close it when Run has returned.
type Gateway struct {
	config  Config
	log     *slog.Logger
	cache   *cache.Tiered
	backend backend.Backend
	catalog *catalog.Catalog
	graphs  *graphs // the catalog's models, and graphs of them
	server  *server
	quotas  *quotas
	force   workforce
	doors   *doors
	lines   lines // of requests that wait
	kserve  *kserve.Server
	public  listener
	admin   listener     // without a net.Listener where there is none
	grpc    net.Listener // nil where there is none
	grpcTLS *servercert.Certificates
	certs   []certified
	closers []func() error
}

type listener struct {
	net.Listener
	server    *http.Server
	encrypted bool // what the server's own config says changes while it begins to serve
}

const (
	headerTimeout = 5 * time.Second // for a request's header to arrive
	idleTimeout   = 2 * time.Minute // of a connection between requests
	maxHeader     = 64 << 10        // bytes
	mostStreams   = 256             // calls at a time on one HTTP/2 connection
	mostInputs    = 64              // of one call over KServe v2
)

// New builds every part in the order in which they lean on each other, and listens. On an error, what was built is closed.
func New(ctx context.Context, c Config, build Build, log *slog.Logger) (_ *Gateway, err error) {
	g := &Gateway{config: c, log: log, doors: newDoors(&c.Limits)}
	defer func() {
		if err != nil {
			_ = g.Close()
		}
	}()
	counts, err := g.openTelemetry(build)
	if err != nil {
		return nil, err
	}
	log = g.log
	noted, err := g.openAudit()
	if err != nil {
		return nil, err
	}
	if g.cache, err = cache.New(cache.Config{
		Memory: int64(c.Cache.Memory), Redis: string(c.Cache.Redis), RedisCA: c.Cache.RedisCA,
		TTL: c.Cache.TTL, FlightTimeout: c.Limits.Timeout, RedisTimeout: c.Cache.patience, RedisDial: c.Cache.patience,
	}, log); err != nil {
		return nil, err
	}
	g.onClose(g.cache.Close)
	inner, err := g.openBackend(counts)
	if err != nil {
		return nil, err
	}
	g.onClose(inner.Close)
	g.onClose(counts.watch(inner))
	g.catalog = catalog.New(inner, catalog.Options{Repository: c.ModelRepository, Log: log})
	g.onClose(g.catalog.Close)
	switching := g.openSwitches(ctx, inner, counts.switches)
	g.onClose(switching.close)
	counts.registry.MustRegister(readings(counts.switches.readings))
	g.backend = g.batched(inner, g.catalog, counts)
	if g.graphs, err = openGraphs(c.Graphs, g.catalog); err != nil {
		return nil, err
	}
	routes, err := g.openRoutes(ctx)
	if err != nil {
		return nil, err
	}
	routes.canaries = openCanaries(routes.book, noted, log)
	g.onClose(routes.canaries.close)
	counts.registry.MustRegister(readings(routes.canaries.readings))
	g.graphs.routed = func(name string) bool { _, found := routes.book.Entry(name); return found }
	called, sent := newNames(g.graphs, routes.book), routing{routes.book, counts.routes, routes.canaries}
	if g.quotas, err = g.openQuotas(counts); err != nil {
		return nil, err
	}

	engine, err := g.openDecoder(ctx, counts)
	if err != nil {
		return nil, err
	}
	cpu := limit.New(c.Limits.workers(), c.Limits.Queue).Named("limits.workers").Under(c.under(&g.lines.workers))
	bodies := limit.NewBytes(int64(c.Limits.Bodies)).Named("limits.bodies").Under(c.under(&g.lines.bodies))
	var work requests
	shadowing := g.openShadows(routes.book, counts, func() bool { return work.idle(&c.Limits) })
	shadowing.also, shadowing.told = routes.canaries.also, routes.canaries.told
	work = requests{
		Pipeline: pipeline.New(pipeline.Parts{
			Models: g.graphs, Backend: g.backend, Cache: g.cache,
			Engine: engine, CPU: cpu,
			Limits: preprocess.Limits{Pixels: c.Limits.Pixels, Side: c.Limits.Side},
			TTL:    c.Cache.TTL, Routes: sent, Observer: g.observed(counts),
			Composer: graphRunner{g.graphs, log}, Pixels: limit.NewBytes(int64(c.Limits.Bodies)).Named("limits.bodies"),
			Shadows: shadowing,
		}),
		Admission: &pipeline.Admission{
			Models: g.graphs, Routes: sent, Backend: g.backend, Items: c.Limits.ModelItems, Bytes: int64(c.Limits.ModelBytes),
			Unknown: int64(c.Limits.Body), Timeout: c.Limits.Timeout, Parallel: runtime.GOMAXPROCS(0), Meter: &g.lines.calls,
		},
		decoders: cpu,
	}
	routes.explain = work.Explain
	info := buildInfo{Version: build.Version, Commit: build.Commit, Backend: c.backendName()}
	counts.registry.MustRegister(collector{g.cache, cpu, bodies}, loadReadings(work.Loads), readings(g.doors.readings), readings(g.lines.readings))
	promise := edge.NewPromise(int64(c.Limits.Bodies) / 2)
	door, err := g.openAuth(ctx, counts)
	if err != nil {
		return nil, err
	}
	g.kserve = kserve.New(kserve.Deps{
		Gate:   door.forKServe(),
		Class:  c.Priorities.ceilings().classed,
		Runner: work, Models: called, Backend: g.backend, Full: work.Full, Codes: kserveCodes, Observe: counts.call,
		Trace:   counts.trace,
		Audit:   noted,
		Bytes:   func(ctx context.Context, n int64) (func(), error) { return takeBytes(ctx, bodies, n) },
		Promise: promise, Cut: &g.doors.counts,
		Meter:   g.quotas.ofCalls(),
		Version: build.Version, Log: log,
		Limits: kserve.Limits{Message: int64(c.Limits.Body), Timeout: c.Limits.Timeout, Longest: c.Streams.Longest, Streams: mostStreams, Inputs: mostInputs,
			Rate: edge.Rate(c.Limits.BodyRate), Coming: int64(c.Limits.Bodies)},
	})
	service, refused, err := g.openJobs(ctx, work.Pipeline, counts)
	if err != nil {
		return nil, err
	}
	g.force = workforce{service: service, works: c.Roles.Jobs}
	pictures, err := c.Fetch.open(c.Limits.Body)
	if err != nil {
		return nil, err
	}
	streaming := c.Streams.open(work)
	g.onClose(streaming.close)
	counts.registry.MustRegister(streamReadings(streaming))
	g.server = newServer(serverDeps{
		Gate:   door,
		Runner: work, Preview: work, Models: newModels(called), Routes: routes, Shadows: shadowing, Switches: switching, Admin: admin{g.cache, g.catalog}, KServe: g.kserve, Browsers: browserRules{c.CORS.open(), c.Listen.HSTS}, Jobs: newJobSide(service, refused, &c, work.Check), Streams: streaming,
		Bytes: bodies, Tiers: c.Priorities.ceilings(), Fetcher: pictures, Audit: noted, Metrics: counts, Quotas: g.quotas, Build: info, Log: log, Now: time.Now,
		Limits:  httpLimits{Body: int64(c.Limits.Body), Items: c.Limits.Items, Timeout: c.Limits.Timeout, Rate: edge.Rate(c.Limits.BodyRate)},
		Promise: promise, Cut: &g.doors.counts,
	})
	if err = g.keepPayloads(counts); err != nil {
		return nil, err
	}
	if err = g.listenAll(ctx); err != nil {
		return nil, err
	}
	if len(g.certs) > 0 {
		counts.registry.MustRegister(tlsReadings(g.certs, time.Now))
	}
	g.warnClear()
	debug.FreeOSMemory() // loading models has left garbage that an idle process would keep
	return g, nil
}

// backendName is what runs the tensors, in one word.
func (c *Config) backendName() string {
	if len(c.Triton.Endpoints) > 0 {
		return "triton"
	}
	return "embedded"
}

func (g *Gateway) openBackend(counts *metrics) (batch.Inner, error) {
	c := &g.config
	if len(c.Triton.Endpoints) == 0 {
		return embedded.New(embedded.Config{Repository: c.ModelRepository, Library: c.Embedded.Library, Threads: c.Embedded.Threads, Log: g.log, Priorities: c.under(&g.lines.model)})
	}
	settings, err := c.Triton.client()
	if err != nil {
		return nil, err
	}
	settings.Priorities = c.under(&g.lines.model)
	return triton.New(settings, triton.Deps{Epochs: g.cache.Records(), Log: g.log, Outgoing: telemetry.Outgoing, Attempt: counts.attempt})
}

func (g *Gateway) onClose(f func() error) { g.closers = append(g.closers, f) }

// Close frees everything in the mirror order of New.
func (g *Gateway) Close() error {
	var err error
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i]())
	}
	g.closers = nil
	return err
}
