package telemetry

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"triton-gateway/internal/fault"
)

// endpoint is a collector's address.
type endpoint struct {
	grpc, tls bool
	address   string // host:port
	path      string // of OTLP over HTTP
}

// parseEndpoint reads telemetry.otlp. Errors are Invalid and show no user name and no password.
func parseEndpoint(text string) (endpoint, error) {
	const form = "want http://host:4318, https://host:4318, grpc://host:4317 or grpcs://host:4317"
	wrong := func(why string) (endpoint, error) {
		return endpoint{}, fault.New(fault.Invalid, "invalid_config", "telemetry.otlp: %s; %s", why, form)
	}
	u, err := url.Parse(text)
	if err != nil {
		return wrong("not a URL")
	}
	e := endpoint{path: u.Path}
	fallback := "4318"
	switch u.Scheme {
	case "http":
	case "https":
		e.tls = true
	case "grpc":
		e.grpc, fallback = true, "4317"
	case "grpcs":
		e.grpc, e.tls, fallback = true, true, "4317"
	default:
		return wrong("unknown scheme " + strconv.Quote(u.Scheme))
	}
	port := u.Port()
	if port == "" {
		port = fallback
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Hostname() == "":
		return wrong("no host")
	case err != nil || n == 0:
		return wrong("no such port")
	case u.User != nil:
		return wrong("a user name or password does not belong into it, but a key into telemetry.headers")
	case u.RawQuery != "" || u.Fragment != "":
		return wrong("it has a query or a fragment")
	case e.grpc && e.path != "" && e.path != "/":
		return wrong("gRPC has no path")
	}
	e.address = net.JoinHostPort(u.Hostname(), port)
	if e.path == "" || e.path == "/" {
		e.path = "/v1/traces"
	}
	return e, nil
}

// String is the endpoint for people.
func (e endpoint) String() string {
	switch {
	case e.grpc && e.tls:
		return "grpcs://" + e.address
	case e.grpc:
		return "grpc://" + e.address
	}
	return e.url()
}

func (e endpoint) url() string {
	u := url.URL{Scheme: "http", Host: e.address}
	if e.tls {
		u.Scheme = "https"
	}
	if !e.grpc {
		u.Path = e.path
	}
	return u.String()
}

const (
	exportTimeout  = 10 * time.Second // of one batch, with the attempts to send it again
	retryFor       = 5 * time.Second
	firstRetry     = 500 * time.Millisecond
	lastRetry      = 2 * time.Second
	connectTimeout = 3 * time.Second
)

// exporter makes the OTLP client. It connects when there is something to send. Every option is given, since what is left out the library
// would take from the environment.
func (e endpoint) exporter(headers map[string]string) (out sdk.SpanExporter, cancel func(), err error) {
	if headers == nil {
		headers = map[string]string{}
	}
	ctx := context.Background() // starting waits for nothing
	if e.grpc {
		out, err = otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(e.url()), otlptracegrpc.WithHeaders(headers),
			otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithCompressor("none"),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: retryFor}))
		return out, func() {}, err
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout, MaxIdleConns: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	out, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(e.url()), otlptracehttp.WithHeaders(headers),
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithCompression(otlptracehttp.NoCompression), otlptracehttp.WithHTTPClient(&http.Client{Transport: transport, Timeout: exportTimeout}),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: lastRetry, MaxElapsedTime: retryFor}))
	return out, transport.CloseIdleConnections, err
}
