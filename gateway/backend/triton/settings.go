package triton

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// Config says which Tritons to talk to. The zero value of everything but Endpoints is fine.
type Config struct {
	// Endpoints are gRPC addresses: host:port or grpc://host:port in the clear, grpcs://host:port with TLS. All of them serve
	// the same models; a call goes to one of them. dns:///name:port stands for all addresses that the name has, which are looked up again
	// and again; it is in the clear unless TLS is set.
	Endpoints []string
	// TLS is used for grpcs:// endpoints; nil means the system's roots. With TLS set, addresses without a scheme use it too.
	TLS *tls.Config
	// Headers are sent with every call, such as the secret of --grpc-restricted-protocol. Names are lower case.
	Headers map[string]string
	// EndpointHeaders are sent to one endpoint besides, by its text in Endpoints.
	EndpointHeaders map[string]map[string]string
	// MetricsEndpoints are the Prometheus pages (http://host:8002/metrics) of the Endpoints, in the same order; an empty text or
	// a missing one means none. They make the detection of reloads exact where Triton exports nv_model_load_duration_secs.
	MetricsEndpoints []string
	// MaxMessage bounds an answer, in bytes; 0 means 2 GiB - 1, which is gRPC's own bound.
	MaxMessage int
	// Reconnect is how long a call may wait for a lost connection to come back before it fails; 0 means 1 s.
	Reconnect time.Duration
	// Resolve is the time between two look-ups of a dns:/// name; 0 means 5 s.
	Resolve time.Duration
	// MaxRunning bounds the calls of one model on one endpoint at a time, which adapts below that; 0 means 1000.
	MaxRunning int
	// Queue is how many calls of one model may wait while all endpoints are at their limits; 0 means as many as may run, and
	// at least 16.
	Queue int
	// Hedge names the models of which a call that takes longer than 95 of 100 may be made a second time on another endpoint. The first answer
	// counts. Such a model's answer must depend on the input alone.
	Hedge []string
	// Priorities say how classes share the line of each model.
	Priorities priority.Policy
}

// Deps are the parts that a Client works with. Nil ones get a default.
type Deps struct {
	Epochs EpochStore       // nil: epochs live in this process alone
	Log    *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: time.Now
	// Outgoing gives metadata for one call besides the configured headers, as the trace context; nil: none.
	Outgoing func(ctx context.Context) map[string]string
	// Attempt is told of every try of an inference on one endpoint, by its name in Config, as it begins; what it gives is called with the try's error, or nil, as
	// it ends. The context that it gives is the try's. nil: nobody is told.
	Attempt func(ctx context.Context, endpoint string) (context.Context, func(error))
	// Resolve gives the addresses of a host name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]string, error)
}

const (
	defaultReconnect = time.Second
	writeBuffer      = 256 << 10 // 10 % less latency at 602 KB than grpc's default of 32 KiB; 0 is twice as slow
	readBuffer       = 64 << 10
)

// target is one endpoint after parsing.
type target struct {
	name    string // as configured; with the address behind it where a name has several
	address string // host:port
	host    string // set for dns:/// entries: the name to look up, and the one that TLS checks
	tls     bool
	headers map[string]string
	metrics string
}

// targets checks a Config and reads its endpoints.
func (c *Config) targets() ([]target, error) {
	if len(c.Endpoints) == 0 {
		return nil, badConfig("triton.endpoints is empty: name at least one host:port")
	}
	if len(c.MetricsEndpoints) > len(c.Endpoints) {
		return nil, badConfig("triton.metrics has %d entries for %d endpoints", len(c.MetricsEndpoints), len(c.Endpoints))
	}
	if c.MaxMessage < 0 || c.MaxMessage > math.MaxInt32 {
		return nil, badConfig("triton.max_message %d is not between 0 and %d", c.MaxMessage, math.MaxInt32)
	}
	seen := map[string]bool{}
	list := make([]target, 0, len(c.Endpoints))
	if c.MaxRunning < 0 || c.Queue < 0 || c.Resolve < 0 {
		return nil, badConfig("triton: max_running, queue and resolve are not negative")
	}
	for i, name := range c.Endpoints {
		t, err := parseTarget(name, c.TLS != nil)
		if err != nil {
			return nil, badConfig("triton.endpoints[%d]: %v", i, err)
		}
		if seen[t.address] {
			return nil, badConfig("triton.endpoints[%d]: %s is named twice", i, t.address)
		}
		seen[t.address] = true
		t.headers = merged(c.Headers, c.EndpointHeaders[name])
		if i < len(c.MetricsEndpoints) {
			t.metrics = c.MetricsEndpoints[i]
		}
		list = append(list, t)
	}
	return list, nil
}

// parseTarget reads host:port with an optional scheme.
func parseTarget(name string, secure bool) (target, error) {
	scheme, address, found := strings.Cut(name, "://")
	if !found {
		scheme, address = "", name
	}
	switch scheme {
	case "", "grpc":
		secure = secure && scheme == ""
	case "grpcs":
		secure = true
	case "dns":
		address = strings.TrimPrefix(address, "/")
	default:
		return target{}, fmt.Errorf("%q: the scheme must be grpc, grpcs or dns; Triton's gRPC port is 8001 by default", name)
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(address, "/"))
	if err != nil || host == "" || port == "" {
		return target{}, fmt.Errorf("%q: want host:port, such as localhost:8001", name)
	}
	if _, err := url.Parse("//" + net.JoinHostPort(host, port)); err != nil {
		return target{}, fmt.Errorf("%q: want host:port, such as localhost:8001", name)
	}
	t := target{name: name, address: net.JoinHostPort(host, port), tls: secure}
	if scheme == "dns" {
		t.host = host
	}
	return t, nil
}

func merged(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for key, value := range m {
			out[strings.ToLower(key)] = value
		}
	}
	return out
}

func badConfig(format string, args ...any) error {
	return fault.New(fault.Invalid, "invalid_config", format, args...)
}
