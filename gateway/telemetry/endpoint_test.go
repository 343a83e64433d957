package telemetry

import (
	"net"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
)

func TestEndpoints(t *testing.T) {
	for text, want := range map[string]endpoint{
		"http://host:4318":            {address: "host:4318", path: "/v1/traces"},
		"http://host/":                {address: "host:4318", path: "/v1/traces"},
		"https://host/otlp/v1/traces": {tls: true, address: "host:4318", path: "/otlp/v1/traces"},
		"grpc://host":                 {grpc: true, address: "host:4317", path: "/v1/traces"},
		"grpcs://[::1]:9/":            {grpc: true, tls: true, address: "[::1]:9", path: "/v1/traces"},
	} {
		got, err := parseEndpoint(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, why := range map[string]string{
		"": "unknown scheme", "host:4318": "scheme", "ftp://host": `"ftp"`, "http://": "no host", "http://h:0": "port", "http://h:70000": "port", "http://h:x": "not a URL",
		"http://user:hunter2@h": "telemetry.headers", "http://h?x=1": "query", "http://h#x": "fragment", "grpc://h/path": "no path", "http://\x7f": "not a URL",
	} {
		_, err := parseEndpoint(text)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "telemetry.otlp") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
	for e, want := range map[endpoint]string{{address: "h:1", path: "/x"}: "http://h:1/x", {tls: true, address: "h:1", path: "/x"}: "https://h:1/x",
		{grpc: true, address: "h:1"}: "grpc://h:1", {grpc: true, tls: true, address: "h:1"}: "grpcs://h:1"} {
		if e.String() != want {
			t.Errorf("%s, want %s", e, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := (Config{OTLP: "grpc://h", Sample: 1}).Validate(); err != nil {
		t.Error(err)
	}
	nan := 0.
	nan /= nan
	for _, share := range []float64{-.1, 1.1, nan} {
		if _, err := New(Config{Sample: share}, nil); err == nil || !strings.Contains(err.Error(), "telemetry.sample") {
			t.Errorf("%v: %v", share, err)
		}
	}
	if _, err := New(Config{OTLP: "x"}, nil); err == nil {
		t.Error("a bad address is taken")
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, text := range []string{"http://host:4318", "grpcs://[::1]:4317", "https://h/p", "grpc://h:99999", "http://a:b@c", "://", "http://%zz", "http://[::1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseEndpoint(text)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(e.address)
		if err != nil || host == "" || port == "" || !strings.HasPrefix(e.path, "/") {
			t.Fatalf("%q became %+v", text, e)
		}
		if again, err := parseEndpoint(e.String()); err != nil || again != e {
			t.Fatalf("%q became %+v, then %+v, %v", text, e, again, err)
		}
	})
}
