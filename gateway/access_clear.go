package gateway

import (
	"log/slog"
	"net"
)

// warnClear says once that keys travel in clear, where they do on addresses that other machines reach.
func (g *Gateway) warnClear() {
	c := &g.config.Listen
	if !g.config.Auth.On() {
		return
	}
	for _, l := range []struct {
		key, address string
		encrypted    bool
	}{{"listen.http", c.HTTP, c.TLS.on()}, {"listen.grpc", c.GRPC, c.TLS.on()}, {"listen.admin", c.Admin, c.AdminTLS.on()}} {
		if host, _, err := net.SplitHostPort(l.address); err == nil && !l.encrypted && !loopback(host) {
			g.log.Warn("keys travel in clear: give the listener a certificate (listen.tls), or put a proxy in front that ends TLS", slog.String("setting", l.key), slog.String("address", l.address))
			return
		}
	}
}
