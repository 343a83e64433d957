package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// graceful is how long requests that run when the process is asked to end may still take, beyond limits.timeout.
	graceful = 2 * time.Second
	// settling is how long connections that are being made at the end may take until they can be accepted: a few round trips.
	settling = 200 * time.Millisecond
)

// listenAll takes all addresses.
func (g *Gateway) listenAll(ctx context.Context) (err error) {
	c := &g.config.Listen
	if !g.config.Roles.API {
		return g.listenAdmin(ctx)
	}
	if g.public, err = g.listenHTTP(ctx, "listen.http", c.HTTP, g.server.handler()); err != nil {
		return err
	}
	certificates, err := g.openCertificates("listen.tls", c.TLS)
	if err != nil {
		return err
	}
	g.public.encrypt(certificates)
	g.grpcTLS = certificates
	if c.GRPC != "" {
		if g.grpc, err = g.listen(ctx, "listen.grpc", c.GRPC); err != nil {
			return err
		}
	}
	if c.Admin == "" {
		return nil
	}
	return g.listenAdmin(ctx)
}

func (g *Gateway) listenAdmin(ctx context.Context) (err error) {
	if g.admin, err = g.listenHTTP(ctx, "listen.admin", g.config.Listen.Admin, withGRPC(g.kserve.GRPCHandler(true), g.server.adminHandler())); err != nil {
		return err
	}
	g.admin.server.Protocols = new(http.Protocols)
	g.admin.server.Protocols.SetHTTP1(true)
	g.admin.server.Protocols.SetUnencryptedHTTP2(true)
	certificates, err := g.openCertificates("listen.admin_tls", g.config.Listen.AdminTLS)
	if err != nil {
		return err
	}
	g.admin.encrypt(certificates)
	return nil
}

func (g *Gateway) listenHTTP(ctx context.Context, setting, address string, h http.Handler) (listener, error) {
	l, err := g.listen(ctx, setting, address)
	if err != nil {
		return listener{}, err
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	guard(s, g.doors.of(setting))
	return listener{Listener: l, server: s}, nil
}

func (g *Gateway) listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // Linux takes no filter on a multipath socket; see refuseNew
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; another program may be listening there: choose another address", setting, err)
	}
	g.onClose(func() error { _ = l.Close(); return nil }) // Serve may have closed it
	return g.doors.of(setting).Behind(l), nil
}

// Addr is the public listener's address: host:port. A process that only works on jobs has none, and gives the admin listener's.
func (g *Gateway) Addr() string {
	if g.public.Listener == nil {
		return g.admin.Addr().String()
	}
	return g.public.Addr().String()
}

// Run serves until ctx ends. Then readiness goes first, requests are still taken for listen.drain, running ones may finish, and Run returns nil.
func (g *Gateway) Run(ctx context.Context) error {
	var serve []func() error
	var servers []listener
	for _, l := range []listener{g.public, g.admin} {
		if l.Listener != nil {
			servers = append(servers, l)
		}
	}
	for _, l := range servers {
		serve = append(serve, func() error { return l.serve() })
	}
	if g.grpc != nil {
		serve = append(serve, func() error { return g.kserve.ServeGRPC(overTLS(g.grpc, g.grpcTLS), false) })
	}
	g.force.begin()
	defer g.force.end()
	failed := make(chan error, len(serve))
	for _, s := range serve {
		go func() { failed <- s() }()
	}
	var err error
	ended := 0
	select {
	case <-ctx.Done():
		g.drain()
	case err = <-failed:
		ended++
	}
	err = errors.Join(err, g.shutdown(context.WithoutCancel(ctx), servers))
	for ; ended < len(serve); ended++ {
		if e := <-failed; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// drain says that this gateway is going away, and goes on serving until load balancers had the time to notice. In that time every answer closes its
// connection, so that clients who keep theirs find another gateway between two requests. Then nobody new is let in.
func (g *Gateway) drain() {
	g.server.drain()
	g.kserve.Drain()
	g.force.handBack()
	delay := g.config.Listen.Drain
	g.log.Info("shutting down: not ready any more, requests are still taken", "for_ms", delay.Milliseconds())
	if delay <= 0 {
		return
	}
	time.Sleep(delay)
	// Closing a listener breaks the connections that wait to be accepted, and their clients may have sent a request already. So connections are
	// kept from beginning first, and those that have begun are accepted.
	for _, l := range []net.Listener{g.public.Listener, g.admin.Listener, g.grpc} {
		if l == nil {
			continue
		}
		if err := refuseNew(l); err != nil {
			g.log.Debug("new connections cannot be kept from the last moment", "error", err)
		}
	}
	time.Sleep(settling)
}

// shutdown lets running requests finish, all servers side by side.
func (g *Gateway) shutdown(ctx context.Context, servers []listener) error {
	g.server.drain()
	g.kserve.Drain()
	g.force.handBack()
	g.server.jobs.part()
	g.server.streams.part(g.config.Limits.Timeout)
	most := g.config.Limits.Timeout + graceful
	g.log.Info("shutting down: running requests may finish", "at_most_ms", most.Milliseconds())
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ends := []func(context.Context) error{g.kserve.Shutdown}
	for _, l := range servers {
		ends = append(ends, l.server.Shutdown)
	}
	errs := make([]error, len(ends))
	var all sync.WaitGroup
	for i, end := range ends {
		all.Go(func() { errs[i] = end(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
