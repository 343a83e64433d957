package gateway

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// CORS says which pages of other origins may call the gateway from a browser.
type CORS struct {
	Origins []string `yaml:"origins" json:"origins,omitempty" env:"ORIGINS" jsonschema_description:"Origins such as https://app.example.com, https://*.example.com for all hosts below a name, or * alone for every page there is. None: only pages of the gateway's own origin."`
}

// check is a part of Config.Validate.
func (c *CORS) check() (faults []error) {
	for i, text := range c.Origins {
		o, err := readOrigin(text)
		if err == nil && o.any && len(c.Origins) > 1 {
			err = errors.New("allows every origin; leave the others out")
		}
		if err != nil {
			faults = append(faults, bad("cors.origins[%d]: %q %w", i, text, err))
		}
	}
	return faults
}

// origin is one entry of the list, in the form in which browsers send it.
type origin struct {
	text   string // of one that stands for itself
	any    bool
	scheme string // of one with a wildcard, with ://
	suffix string // what it ends in, from the dot before the name
}

// longestOrigin is more than a host name, a scheme and a port can have.
const longestOrigin = 300 // bytes

// readOrigin reads one entry of the list. The error goes on after the entry.
func readOrigin(text string) (origin, error) {
	if text == "*" {
		return origin{any: true}, nil
	}
	scheme, host, found := strings.Cut(strings.ToLower(text), "://")
	switch {
	case len(text) > longestOrigin:
		return origin{}, errors.New("is too long")
	case !found || scheme != "http" && scheme != "https":
		return origin{}, errors.New("is no origin: write scheme and host, such as https://app.example.com")
	case strings.ContainsAny(host, "/?#@\\"):
		return origin{}, errors.New("is more than an origin: write scheme, host and port alone, without a path")
	case strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.:[]*_") != "":
		return origin{}, errors.New("has characters that browsers do not send; write names of other scripts as xn--...")
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return origin{}, errors.New("has a port that is no number")
		}
		if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
			host = name // browsers leave it out
			if strings.Contains(name, ":") {
				host = "[" + name + "]"
			}
		}
	}
	below, wild := strings.CutPrefix(host, "*")
	switch {
	case strings.Contains(below, "*"), wild && !strings.HasPrefix(below, "."), wild && strings.Count(below, ".") < 2:
		return origin{}, errors.New("has a * elsewhere than before a name of two parts: write https://*.example.com")
	case wild:
		return origin{scheme: scheme + "://", suffix: below}, nil
	}
	if u, err := url.Parse(scheme + "://" + host); err != nil || u.Hostname() == "" {
		return origin{}, errors.New("is no origin: write scheme and host, such as https://app.example.com")
	}
	return origin{text: scheme + "://" + host}, nil
}

// origins is the list, ready to be asked.
type origins struct {
	any   bool
	exact map[string]bool
	wild  []origin
}

// open gives the list; nil where no other origin is allowed. Validate has checked it.
func (c *CORS) open() *origins {
	if len(c.Origins) == 0 {
		return nil
	}
	list := &origins{exact: map[string]bool{}}
	for _, text := range c.Origins {
		switch o, err := readOrigin(text); {
		case err != nil:
		case o.any:
			list.any = true
		case o.suffix != "":
			list.wild = append(list.wild, o)
		default:
			list.exact[o.text] = true
		}
	}
	return list
}

// allows says whether pages of an origin may call; nil allows none.
func (l *origins) allows(name string) bool {
	switch {
	case l == nil || len(name) > longestOrigin:
		return false
	case l.any || l.exact[name]:
		return true
	}
	for _, o := range l.wild {
		rest, ok := strings.CutPrefix(name, o.scheme)
		if !ok {
			continue
		}
		below, ok := strings.CutSuffix(rest, o.suffix)
		if ok && below != "" && below[0] != '.' && strings.Trim(below, "abcdefghijklmnopqrstuvwxyz0123456789-._") == "" {
			return true
		}
	}
	return false
}
