package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path, environ)
}

func TestConfigDefaultsFileEnvironment(t *testing.T) {
	c, err := load(t, `
listen: {http: "127.0.0.1:9000"}
triton: {endpoints: ["a:8001", "b:8001"], headers: {x-key: abc}, hedge: [m]}
cache: {memory: 1GiB, redis: "redis://user:pw@localhost:6379/0", ttl: 90s}
limits: {body: 2000000, timeout: 250ms}
`, "GATEWAY_TRITON__ENDPOINTS=c:8001", `GATEWAY_TRITON__ENDPOINT_HEADERS={"c:8001":{"authorization":"Bearer x"}}`, "GATEWAY_LIMITS__BODY=3MB", "HOME=/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ name, got, want string }{
		{"http", c.Listen.HTTP, "127.0.0.1:9000"},
		{"admin keeps its default", c.Listen.Admin, "localhost:9090"},
		{"environment wins", strings.Join(c.Triton.Endpoints, ","), "c:8001"},
		{"memory", c.Cache.Memory.String(), "1GiB"},
		{"body", fmt.Sprint(int64(c.Limits.Body)), "3000000"},
		{"ttl", c.Cache.TTL.String(), "1m30s"},
		{"timeout", c.Limits.Timeout.String(), "250ms"},
		{"redis", string(c.Cache.Redis), "redis://user:pw@localhost:6379/0"},
		{"hedge", strings.Join(c.Triton.Hedge, ","), "m"},
		{"header of an endpoint", string(c.Triton.EndpointHeaders["c:8001"]["authorization"]), "Bearer x"},
		{"drain", c.Listen.Drain.String(), "3s"},
		{"header", string(c.Triton.Headers["x-key"]), "abc"},
	} {
		if v.got != v.want {
			t.Errorf("%s: got %q, want %q", v.name, v.got, v.want)
		}
	}
	if c, err = load(t, "limits: {timeout: 0s, body: 0, queue: 0}"); err != nil || c.Limits != DefaultConfig().Limits {
		t.Errorf("a limit of 0 is not the default: %+v, %v", c.Limits, err)
	}
	if c, err = LoadConfig("", nil); err != nil || c.Cache.Memory != 256<<20 || c.Limits.Timeout != 30*time.Second {
		t.Errorf("defaults: %+v, %v", c, err)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		environ    []string
		want       []string
	}{
		{"unknown key", "limits:\n  bodyy: 1MiB\n", nil, []string{"[2:3]", "bodyy", "^"}},
		{"unknown section", "trition: {}\n", nil, []string{"[1:1]", "trition"}},
		{"bad size", "cache:\n  memory: lots\n", nil, []string{"lots", "64MiB"}},
		{"unknown variable", "", []string{"GATEWAY_LIMIT__BODY=1"}, []string{"GATEWAY_LIMIT__BODY is not a setting", "config schema --variables"}},
		{"bad variable", "", []string{"GATEWAY_LIMITS__BODY=many"}, []string{"many"}},
		{"public address", "listen: {http: '0.0.0.0:8080'}", nil, []string{"listen.http", "--insecure"}},
		{"all at once", "listen: {http: nowhere}\ntriton: {endpoints: [a]}\nlimits: {queue: -1}\nlog: {level: loud}", nil,
			[]string{"listen.http", "triton.endpoints[0]", "limits.queue", "log.level"}},
		{"public gRPC address", "listen: {grpc: ':8081'}", nil, []string{"listen.grpc", "--insecure"}},
		{"bad gRPC address", "listen: {grpc: here}", nil, []string{"listen.grpc", "host:port"}},
		{"model bytes under body", "limits: {model_bytes: 1MiB}", nil, []string{"limits.model_bytes: 1MiB is less than limits.body, 64MiB"}},
		{"negative", "limits: {model_items: -1}\nlisten: {drain: -1s}", nil, []string{"limits.model_items", "listen.drain"}},
		{"headers of nobody", "triton: {endpoints: ['a:1'], endpoint_headers: {'b:1': {x: y}}}", nil, []string{"triton.endpoint_headers", `"b:1"`}},
		{"bad headers", "", []string{"GATEWAY_TRITON__ENDPOINT_HEADERS=hunter2"}, []string{"not JSON"}},
		{"empty hedge", "triton: {endpoints: ['a:1'], hedge: ['']}", nil, []string{"triton.hedge"}},
		{"bodies under body", "limits: {body: 2MiB, bodies: 1MiB}", nil, []string{"limits.bodies"}},
		{"metrics count", "triton: {endpoints: ['a:1'], metrics: ['http://a:2', 'http://b:2']}", nil, []string{"triton.metrics"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.text, c.environ...)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
	if _, err := LoadConfig("/nowhere/gateway.yaml", nil); err == nil {
		t.Error("a missing file was not noticed")
	}
}

func TestConfigPrintMasksSecretsAndLoadsAgain(t *testing.T) {
	c, err := load(t, `
cache: {redis: "redis://user:hunter2@localhost:6379/0"}
triton: {endpoints: ["a:8001"], headers: {authorization: "Bearer hunter2"}, endpoint_headers: {"a:8001": {x: hunter2}}}`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Print()
	if err != nil || strings.Contains(string(out), "hunter2") {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "redis://*****@localhost:6379/0") {
		t.Errorf("no masked URL in\n%s", out)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Cache.Redis); strings.Contains(shown, "hunter2") {
		t.Error("printing the config shows a secret")
	}
	again, err := load(t, string(out))
	if err != nil || again.Limits != c.Limits || again.Listen != c.Listen {
		t.Errorf("what is printed does not load: %v", err)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{"0": 0, "17": 17, "1KB": 1000, "1 KiB": 1024, "1.5MiB": 3 << 19, "2GB": 2e9, "4B": 4} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "NaN", "Inf", "1e40", "1 TiB", "1MiBs"} {
		var got ByteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %d", text, got)
		}
	}
	for size, want := range map[ByteSize]string{0: "0B", 1000: "1000B", 1 << 20: "1MiB", 5 << 30: "5GiB"} {
		if size.String() != want {
			t.Errorf("%d is written %s, want %s", int64(size), size, want)
		}
	}
}

func TestConfigSchemaAndVariables(t *testing.T) {
	data, err := ConfigSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Type       string
			Properties map[string]struct {
				Description string
				Properties  map[string]struct{ Description string }
			}
		}
	}
	schema.AdditionalProperties = true
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	if schema.AdditionalProperties || schema.Properties["limits"].Properties["pixels"].Description == "" {
		t.Errorf("unexpected schema: %s", data)
	}
	settings := 0
	for section, s := range schema.Properties {
		if s.Type != "object" || len(s.Properties) == 0 { // one of names that people choose is one setting
			settings++
		}
		for key, p := range s.Properties {
			settings += max(1, len(p.Properties))
			for inner, q := range p.Properties {
				if q.Description == "" {
					t.Errorf("%s.%s.%s has no description", section, key, inner)
				}
			}
			if p.Description == "" {
				t.Errorf("%s.%s has no description", section, key)
			}
		}
	}
	if n := len(Variables()); n != settings || n > 120 { // a person has to be able to read them all
		t.Errorf("%d variables for %d settings", n, settings)
	}
}
