package gateway

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Validate checks what a decoder cannot, and gives all faults at once.
func (c *Config) Validate() error {
	return errors.Join(slices.Concat(c.Listen.check(c.Insecure || c.Auth.On()), c.Auth.check(), c.Listen.checkTLS(), c.CORS.check(), c.checkTriton(), c.checkNumbers(), c.Batching.check(), c.Priorities.check(), c.Rollout.check(), c.Decoder.check(), c.Jobs.check(), c.checkRoles(), c.Streams.check(), c.Fetch.check(c.Limits.Bodies), c.Payloads.check(), c.Quotas.check(), c.Routes.check(), c.Graphs.check(c.Routes), c.Shadows.check(), c.Telemetry.check(), c.Log.check())...)
}

func bad(format string, args ...any) error { return fmt.Errorf("config: "+format, args...) }

func (l *Listen) check(insecure bool) (faults []error) {
	for _, a := range []struct {
		key, address string
		optional     bool
	}{{"listen.http", l.HTTP, false}, {"listen.grpc", l.GRPC, true}, {"listen.admin", l.Admin, true}} {
		if a.address == "" && a.optional {
			continue
		}
		host, _, err := net.SplitHostPort(a.address)
		if err != nil {
			faults = append(faults, bad("%s: %q is not host:port", a.key, a.address))
			continue
		}
		if !insecure && !loopback(host) && !l.asksClients(a.key) {
			faults = append(faults, bad("%s: %s can be reached from other machines and there is no authentication; set auth.keys_file, listen on localhost, or allow it with serve --insecure", a.key, a.address))
		}
	}
	return faults
}

// asksClients says that nobody comes in by a listener without a certificate.
func (l *Listen) asksClients(key string) bool {
	if key == "listen.admin" {
		return l.AdminTLS.asksClients()
	}
	return l.TLS.asksClients()
}

func (c *Config) checkTriton() (faults []error) {
	t := &c.Triton
	if len(t.Endpoints) == 0 && c.ModelRepository == "" {
		faults = append(faults, bad("model_repository: give a folder, or triton.endpoints"))
	}
	for i, e := range t.Endpoints {
		if _, _, err := net.SplitHostPort(bare(e)); err != nil {
			faults = append(faults, bad("triton.endpoints[%d]: %q is not host:port; Triton's gRPC port is 8001 by default", i, e))
		}
	}
	if n := len(t.Metrics); n > 0 && n != len(t.Endpoints) {
		faults = append(faults, bad("triton.metrics: %d URLs for %d endpoints; give one for each, in the same order", n, len(t.Endpoints)))
	}
	for e := range t.EndpointHeaders {
		if !slices.Contains(t.Endpoints, e) {
			faults = append(faults, bad("triton.endpoint_headers: %q is not one of triton.endpoints; write it as it is there", e))
		}
	}
	if slices.Contains(t.Hedge, "") {
		faults = append(faults, bad("triton.hedge: a model's name is empty"))
	}
	return faults
}

// bare takes the scheme off an endpoint.
func bare(endpoint string) string {
	for _, scheme := range []string{"grpcs://", "grpc://", "dns:///"} {
		endpoint = strings.TrimPrefix(endpoint, scheme)
	}
	return endpoint
}

func (c *Config) checkNumbers() (faults []error) {
	l := &c.Limits
	for _, v := range []struct {
		key   string
		value int64
	}{{"listen.drain", int64(c.Listen.Drain)}, {"embedded.threads", int64(c.Embedded.Threads)}, {"cache.ttl", int64(c.Cache.TTL)}, {"limits.body", int64(l.Body)},
		{"limits.bodies", int64(l.Bodies)}, {"limits.pixels", int64(l.Pixels)}, {"limits.side", int64(l.Side)},
		{"limits.items", int64(l.Items)}, {"limits.timeout", int64(l.Timeout)}, {"limits.workers", int64(l.Workers)},
		{"limits.queue", int64(l.Queue)}, {"limits.model_items", int64(l.ModelItems)}, {"limits.model_bytes", int64(l.ModelBytes)},
		{"limits.connections", int64(l.Connections)}, {"limits.connections_per_address", int64(l.PerAddress)}, {"limits.body_rate", int64(l.BodyRate)}} {
		if v.value < 0 {
			faults = append(faults, bad("%s: must not be negative", v.key))
		}
	}
	if l.Bodies < l.Body {
		faults = append(faults, bad("limits.bodies: %s is less than limits.body, %s: no large body could ever be read", l.Bodies, l.Body))
	}
	if l.ModelBytes < l.Body {
		faults = append(faults, bad("limits.model_bytes: %s is less than limits.body, %s: no large body could ever be read", l.ModelBytes, l.Body))
	}
	return faults
}

func (l *Log) check() (faults []error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		faults = append(faults, bad("log.level: %q is not one of debug, info, warn, error", l.Level))
	}
	if !slices.Contains([]string{"", "text", "json"}, l.Format) {
		faults = append(faults, bad("log.format: %q is not one of text, json", l.Format))
	}
	return faults
}

// loopback reports whether host can be reached from this machine alone.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
