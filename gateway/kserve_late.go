package gateway

import (
	"context"
	"net"
	"net/http"

	"triton-gateway/gateway/kserve"
)

// late asks a kserve.Server for the methods that it has.
type late struct{ server any }

func lateOf(s *kserve.Server) late { return late{s} }

func (l late) HTTP(admin bool) http.Handler {
	if s, ok := l.server.(interface{ HTTP(bool) http.Handler }); ok {
		return s.HTTP(admin)
	}
	return http.NotFoundHandler()
}

func (l late) GRPCHandler(admin bool) http.Handler {
	if s, ok := l.server.(interface{ GRPCHandler(bool) http.Handler }); ok {
		return s.GRPCHandler(admin)
	}
	return http.NotFoundHandler()
}

func (l late) ServeGRPC(at net.Listener, admin bool) error {
	if s, ok := l.server.(interface {
		ServeGRPC(net.Listener, bool) error
	}); ok {
		return s.ServeGRPC(at, admin)
	}
	for {
		c, err := at.Accept()
		if err != nil {
			return nil
		}
		_ = c.Close()
	}
}

func (l late) Drain() {
	if s, ok := l.server.(interface{ Drain() }); ok {
		s.Drain()
	}
}

func (l late) Shutdown(ctx context.Context) error {
	if s, ok := l.server.(interface {
		Shutdown(context.Context) error
	}); ok {
		return s.Shutdown(ctx)
	}
	return nil
}
