package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"triton-gateway/internal/fetch"
)

// Fetch says which pictures the gateway may fetch from a URL that a caller names. Zero means the default, but for Redirects.
type Fetch struct {
	Enabled   bool          `yaml:"enabled" json:"enabled,omitempty" env:"ENABLED" jsonschema_description:"Whether a body may name a picture by its URL: {\"image\":{\"url\":\"https://...\"}}. Default: no."`
	Hosts     []string      `yaml:"hosts" json:"hosts,omitempty" env:"HOSTS" jsonschema_description:"Hosts that may be asked, such as images.example.com, or *.example.com for all below it. Default: every public one."`
	Allow     []string      `yaml:"allow" json:"allow,omitempty" env:"ALLOW" jsonschema_description:"Private networks that may be asked, such as 10.1.0.0/16. Default: none."`
	Ports     []int         `yaml:"ports" json:"ports,omitempty" env:"PORTS" jsonschema_description:"Ports that may be asked. Default: 80, 443."`
	Bytes     ByteSize      `yaml:"bytes" json:"bytes,omitempty" env:"BYTES" jsonschema_description:"Largest picture that is fetched. Default: limits.body."`
	Timeout   time.Duration `yaml:"timeout" json:"timeout,omitempty" env:"TIMEOUT" jsonschema:"type=string" jsonschema_description:"Longest time for one picture, from the look-up of the name to the last byte. Default 10s."`
	Redirects int           `yaml:"redirects" json:"redirects,omitempty" env:"REDIRECTS" jsonschema_description:"Redirects that are followed, 0 to 3. Default 3."`
	Parallel  int           `yaml:"parallel" json:"parallel,omitempty" env:"PARALLEL" jsonschema_description:"Pictures fetched at one time; above it the gateway answers 429. Default 16."`
}

const mostRedirects = 3

func defaultFetch() Fetch {
	return Fetch{Ports: []int{80, 443}, Timeout: 10 * time.Second, Redirects: mostRedirects, Parallel: 16}
}

// fill puts the default where a setting is 0.
func (f *Fetch) fill(body ByteSize) {
	d := defaultFetch()
	f.Bytes, f.Timeout, f.Parallel = cmp.Or(f.Bytes, body), cmp.Or(f.Timeout, d.Timeout), cmp.Or(f.Parallel, d.Parallel)
	if len(f.Ports) == 0 {
		f.Ports = d.Ports
	}
}

// check is the section's part of Config.Validate; bodies is limits.bodies.
func (f *Fetch) check(bodies ByteSize) (faults []error) {
	for _, v := range []struct {
		key   string
		value int64
	}{{"bytes", int64(f.Bytes)}, {"timeout", int64(f.Timeout)}, {"parallel", int64(f.Parallel)}} {
		if v.value < 0 {
			faults = append(faults, bad("fetch.%s: must not be negative", v.key))
		}
	}
	if f.Redirects < 0 || f.Redirects > mostRedirects {
		faults = append(faults, bad("fetch.redirects: %d is not between 0 and %d", f.Redirects, mostRedirects))
	}
	if f.Bytes > bodies {
		faults = append(faults, bad("fetch.bytes: %s is more than limits.bodies, %s: no such picture could ever be kept", f.Bytes, bodies))
	}
	for _, port := range f.Ports {
		if port < 1 || port > 65535 {
			faults = append(faults, bad("fetch.ports: %d is no port", port))
		}
	}
	for _, host := range f.Hosts {
		if err := fetch.CheckHost(host); err != nil {
			faults = append(faults, bad("fetch.hosts: %w", err))
		}
	}
	if _, err := networks(f.Allow); err != nil {
		faults = append(faults, bad("fetch.allow: %w", err))
	}
	return faults
}

// open makes what fetches; nil where it is off. body is limits.body.
func (f Fetch) open(body ByteSize) (fetcher, error) {
	if !f.Enabled {
		return nil, nil //nolint:nilnil // off is no failure
	}
	f.fill(body)
	allow, err := networks(f.Allow)
	if err != nil {
		return nil, err
	}
	return fetch.New(fetch.Config{
		Hosts: f.Hosts, Allow: allow, Ports: f.Ports, Bytes: int64(f.Bytes), Timeout: f.Timeout, Redirects: f.Redirects, Parallel: f.Parallel,
	}), nil
}

// networks reads a list of networks.
func networks(texts []string) (list []netip.Prefix, err error) {
	for _, text := range texts {
		p, e := netip.ParsePrefix(text)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%q is no network such as 10.1.0.0/16", text))
			continue
		}
		list = append(list, p)
	}
	return list, err
}
