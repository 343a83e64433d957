package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
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
	c.Decoder.fill(defaultDecoder())
	c.Jobs.fill(defaultJobs())
	c.Fetch.fill(c.Limits.Body)
	c.Payloads.fill()
	return c, c.Validate()
}

// fill puts the default where a limit is 0. Workers keep their 0, which means the number of processors.
func (l *Limits) fill(d Limits) {
	l.Body, l.Bodies = cmp.Or(l.Body, d.Body), cmp.Or(l.Bodies, d.Bodies)
	l.Pixels, l.Side, l.Items = cmp.Or(l.Pixels, d.Pixels), cmp.Or(l.Side, d.Side), cmp.Or(l.Items, d.Items)
	l.Timeout, l.Queue = cmp.Or(l.Timeout, d.Timeout), cmp.Or(l.Queue, d.Queue)
	l.ModelItems, l.ModelBytes = cmp.Or(l.ModelItems, d.ModelItems), cmp.Or(l.ModelBytes, d.ModelBytes)
}

func (c *Config) decode(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := misreadSizes(data); err != nil {
		return err
	}
	if err := yaml.UnmarshalWithOptions(data, c, yaml.Strict()); err != nil {
		if plain := misread(data); plain != nil {
			return plain
		}
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
		if !strings.HasPrefix(name, envPrefix) || name == "GATEWAY_URL" || name == "GATEWAY_TOKEN" { // the last two tell the dashboard and the examples whom they ask
			continue
		}
		if !known[name] {
			faults = append(faults, fmt.Errorf("%s is not a setting; `triton-gateway config schema --variables` lists them", name))
			continue
		}
		values[name] = value
	}
	faults = append(faults, takeMisreadSizes(values)...)
	if err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: values, FuncMap: environmentForms()}); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// environmentForms reads what env cannot read by itself.
func environmentForms() map[reflect.Type]env.ParserFunc {
	return map[reflect.Type]env.ParserFunc{reflect.TypeFor[EndpointHeaders](): func(text string) (any, error) {
		var h EndpointHeaders
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			return nil, errors.New(`not JSON such as {"triton-a:8001":{"authorization":"Bearer x"}}`) // the decoder's own text may show a secret
		}
		return h, nil
	}, reflect.TypeFor[Routes](): func(text string) (any, error) {
		return parseRoutes(text)
	}, reflect.TypeFor[QuotaTiers](): func(text string) (any, error) {
		return parseTiers(text)
	}}
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
