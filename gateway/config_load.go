package gateway

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
)

// envPrefix begins the name of every setting in the environment.
const envPrefix = "GATEWAY_"

// LoadConfig reads defaults, then the YAML file (path may be empty: none), then environ, which is what os.Environ gives.
// Unknown keys and variables are refused; a fault of the file is shown with line and caret; all faults are joined.
func LoadConfig(path string, environ []string) (Config, error) {
	return LoadConfigWith(path, environ, func(*Config) {})
}

// LoadConfigWith is LoadConfig with a last word before validation: what the command line sets.
func LoadConfigWith(path string, environ []string, last func(*Config)) (Config, error) {
	c := DefaultConfig()
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("config: %w", err)
		}
		if err := c.decode(data); err != nil {
			return c, fmt.Errorf("config: %s: %w", path, err)
		}
	}
	if err := c.overlay(environ); err != nil {
		return c, fmt.Errorf("config: environment: %w", err)
	}
	last(&c)
	c.Limits.fill(DefaultConfig().Limits)
	return c, c.Validate()
}

// fill puts the default where a limit is 0. Workers keep their 0, which means the number of processors.
func (l *Limits) fill(d Limits) {
	l.Body, l.Bodies = cmp.Or(l.Body, d.Body), cmp.Or(l.Bodies, d.Bodies)
	l.Pixels, l.Side, l.Items = cmp.Or(l.Pixels, d.Pixels), cmp.Or(l.Side, d.Side), cmp.Or(l.Items, d.Items)
	l.Timeout, l.Queue = cmp.Or(l.Timeout, d.Timeout), cmp.Or(l.Queue, d.Queue)
}

func (c *Config) decode(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := yaml.UnmarshalWithOptions(data, c, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, true))
	}
	return nil
}

func (c *Config) overlay(environ []string) error {
	known, err := knownVariables()
	if err != nil {
		return err
	}
	values := map[string]string{}
	var faults []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		if !known[name] {
			faults = append(faults, fmt.Errorf("%s is not a setting; `triton-gateway config schema --variables` lists them", name))
			continue
		}
		values[name] = value
	}
	if err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: values}); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// knownVariables gives the names of all settings in the environment.
func knownVariables() (map[string]bool, error) {
	params, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: envPrefix})
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, p := range params {
		known[p.Key] = true
	}
	return known, nil
}

// Variables lists the environment variables that are settings, sorted.
func Variables() []string {
	known, _ := knownVariables() // fails only on a type that env cannot read, which a test rules out
	list := make([]string, 0, len(known))
	for name := range known {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// Validate checks what a decoder cannot, and gives all faults at once.
func (c *Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("config: "+format, args...)) }
	for _, a := range []struct {
		key, address string
		optional     bool
	}{{"listen.http", c.Listen.HTTP, false}, {"listen.admin", c.Listen.Admin, true}} {
		if a.address == "" && a.optional {
			continue
		}
		host, _, err := net.SplitHostPort(a.address)
		if err != nil {
			fault("%s: %q is not host:port", a.key, a.address)
			continue
		}
		if !c.Insecure && !loopback(host) {
			fault("%s: %s can be reached from other machines and there is no authentication; listen on localhost, or allow it with serve --insecure", a.key, a.address)
		}
	}
	if len(c.Triton.Endpoints) == 0 && c.ModelRepository == "" {
		fault("model_repository: give a folder, or triton.endpoints")
	}
	for i, e := range c.Triton.Endpoints {
		if _, _, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(e, "grpcs://"), "grpc://")); err != nil {
			fault("triton.endpoints[%d]: %q is not host:port; Triton's gRPC port is 8001 by default", i, e)
		}
	}
	if n := len(c.Triton.Metrics); n > 0 && n != len(c.Triton.Endpoints) {
		fault("triton.metrics: %d URLs for %d endpoints; give one for each, in the same order", n, len(c.Triton.Endpoints))
	}
	for _, v := range []struct {
		key   string
		value int64
	}{{"embedded.threads", int64(c.Embedded.Threads)}, {"cache.ttl", int64(c.Cache.TTL)}, {"limits.body", int64(c.Limits.Body)},
		{"limits.bodies", int64(c.Limits.Bodies)}, {"limits.pixels", int64(c.Limits.Pixels)}, {"limits.side", int64(c.Limits.Side)},
		{"limits.items", int64(c.Limits.Items)}, {"limits.timeout", int64(c.Limits.Timeout)}, {"limits.workers", int64(c.Limits.Workers)},
		{"limits.queue", int64(c.Limits.Queue)}} {
		if v.value < 0 {
			fault("%s: must not be negative", v.key)
		}
	}
	if c.Limits.Bodies < c.Limits.Body {
		fault("limits.bodies: %s is less than limits.body, %s: no large body could ever be read", c.Limits.Bodies, c.Limits.Body)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		fault("log.level: %q is not one of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"", "text", "json"}, c.Log.Format) {
		fault("log.format: %q is not one of text, json", c.Log.Format)
	}
	return errors.Join(faults...)
}

// loopback reports whether host can be reached from this machine alone.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Print writes the effective settings as YAML, secrets masked.
func (c Config) Print() ([]byte, error) { return yaml.Marshal(c) }

// ConfigSchema is the JSON Schema of gateway.yaml.
func ConfigSchema() ([]byte, error) {
	r := jsonschema.Reflector{DoNotReference: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true}
	r.Mapper = schemaOf
	s := r.Reflect(&Config{})
	s.Title = "gateway.yaml"
	s.ID = ""
	return s.MarshalJSON()
}
