// Package gateway puts the parts together and speaks HTTP: it is the one package that knows Gin and statuses. What is done
// with a request is package pipeline's; who runs the tensors is package backend's.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/limit"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
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
	server  *server
	public  listener
	admin   listener // without a net.Listener where there is none
	closers []func() error
}

type listener struct {
	net.Listener
	server *http.Server
}

const (
	headerTimeout = 5 * time.Second // for a request's header to arrive
	idleTimeout   = 2 * time.Minute // of a connection between requests
	maxHeader     = 64 << 10        // bytes
	// graceful is how long requests that run when the process is asked to end may still take, beyond limits.timeout.
	graceful = 2 * time.Second
)

// New builds every part in the order in which they lean on each other, and listens. On an error, what was built is closed.
func New(ctx context.Context, c Config, build Build, log *slog.Logger) (_ *Gateway, err error) {
	g := &Gateway{config: c, log: log}
	defer func() {
		if err != nil {
			_ = g.Close()
		}
	}()
	if g.cache, err = cache.New(cache.Config{
		Memory: int64(c.Cache.Memory), Redis: string(c.Cache.Redis), RedisCA: c.Cache.RedisCA,
		TTL: c.Cache.TTL, FlightTimeout: c.Limits.Timeout,
	}, log); err != nil {
		return nil, err
	}
	g.onClose(g.cache.Close)
	if g.backend, err = g.openBackend(); err != nil {
		return nil, err
	}
	g.onClose(g.backend.Close)
	g.catalog = catalog.New(g.backend, catalog.Options{Repository: c.ModelRepository, Log: log})
	g.onClose(g.catalog.Close)

	workers := c.Limits.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	cpu := limit.New(workers, c.Limits.Queue).Named("limits.workers")
	bodies := limit.NewBytes(int64(c.Limits.Bodies)).Named("limits.bodies")
	requests := pipeline.New(pipeline.Parts{
		Models: g.catalog, Backend: g.backend, Cache: g.cache,
		Engine: opencv.New(1), // OpenCV's own threads: requests run side by side instead
		CPU:    cpu,
		Limits: preprocess.Limits{Pixels: c.Limits.Pixels, Side: c.Limits.Side},
		TTL:    c.Cache.TTL,
	})
	info := buildInfo{Version: build.Version, Commit: build.Commit, Backend: c.backendName()}
	counts := newMetrics(info)
	counts.registry.MustRegister(collector{g.cache, cpu, bodies})
	g.server = newServer(serverDeps{
		Runner: requests, Models: newModels(g.catalog), Admin: admin{g.cache, g.catalog},
		Bytes: bodies, Metrics: counts, Build: info, Log: log, Now: time.Now,
		Limits: httpLimits{Body: int64(c.Limits.Body), Items: c.Limits.Items, Timeout: c.Limits.Timeout},
	})
	if g.public, err = g.listen(ctx, "listen.http", c.Listen.HTTP, g.server.handler()); err != nil {
		return nil, err
	}
	if c.Listen.Admin != "" {
		if g.admin, err = g.listen(ctx, "listen.admin", c.Listen.Admin, g.server.adminHandler()); err != nil {
			return nil, err
		}
	}
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

func (g *Gateway) openBackend() (backend.Backend, error) {
	c := &g.config
	if len(c.Triton.Endpoints) == 0 {
		return embedded.New(embedded.Config{Repository: c.ModelRepository, Library: c.Embedded.Library, Threads: c.Embedded.Threads, Log: g.log})
	}
	settings, err := c.Triton.client()
	if err != nil {
		return nil, err
	}
	return triton.New(settings, triton.Deps{Epochs: g.cache.Records(), Log: g.log})
}

// client turns the settings into the Triton client's.
func (t *Triton) client() (triton.Config, error) {
	headers := map[string]string{}
	for name, value := range t.Headers {
		headers[name] = string(value)
	}
	out := triton.Config{Endpoints: t.Endpoints, MetricsEndpoints: t.Metrics, Headers: headers}
	if t.CA == "" {
		return out, nil
	}
	roots, err := authorities(t.CA)
	if err != nil {
		return out, fmt.Errorf("triton.ca: %w", err)
	}
	out.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return out, nil
}

func (g *Gateway) onClose(f func() error) { g.closers = append(g.closers, f) }

func (g *Gateway) listen(ctx context.Context, setting, address string, h http.Handler) (listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return listener{}, fmt.Errorf("%s: %w; another program may be listening there: choose another address", setting, err)
	}
	g.onClose(func() error { _ = l.Close(); return nil }) // Serve may have closed it
	return listener{l, &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}}, nil
}

// Addr is the public listener's address: host:port.
func (g *Gateway) Addr() string { return g.public.Addr().String() }

// Run serves until ctx ends. Then readiness goes first, running requests may finish, and Run returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	servers := []listener{g.public}
	if g.admin.Listener != nil {
		servers = append(servers, g.admin)
	}
	for _, l := range servers {
		go func() { failed <- l.server.Serve(l.Listener) }()
	}
	var err error
	ended := 0
	select {
	case <-ctx.Done():
	case err = <-failed:
		ended++
	}
	g.server.drain()
	g.log.Info("shutting down: running requests may finish", "at_most_ms", (g.config.Limits.Timeout + graceful).Milliseconds())
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.config.Limits.Timeout+graceful)
	defer cancel()
	for _, l := range servers {
		err = errors.Join(err, l.server.Shutdown(stop))
	}
	for ; ended < len(servers); ended++ {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Close frees everything in the mirror order of New.
func (g *Gateway) Close() error {
	var err error
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i]())
	}
	g.closers = nil
	return err
}
