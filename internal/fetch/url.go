package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// mostURL is the longest URL that is taken, in bytes.
const mostURL = 2048

// URL reads a URL that a caller named: http or https, with a host, without user name and password, at a port that may be called. What its host resolves to is
// looked at when it is dialled. The error completes a sentence that begins with what the URL is for, such as "the webhook".
func (g *Guard) URL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > mostURL || u.Opaque != "" || !named(u.Hostname()) {
		return nil, fmt.Errorf("is no URL with a host, or is longer than %d characters", mostURL)
	}
	port := map[string]int{"http": 80, "https": 443}[u.Scheme]
	if port == 0 {
		return nil, errors.New("has a scheme that is neither http nor https")
	}
	if u.User != nil {
		return nil, errors.New("holds a user name or password; leave them out")
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errors.New("has a port that is no number")
		}
	}
	if !g.OpenPort(port) {
		return nil, fmt.Errorf("has port %d; allowed are %v (%s)", port, g.ports, g.setting)
	}
	return u, nil
}

// named reports whether a host may be one: what a resolver or a log could stumble over is none.
func named(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`%/\@"'<>`, r) })
}

// hosts are the names that pictures may be at: as they are, or with *. before them for all names below. None: all.
type hosts []string

func (h hosts) has(name string) bool {
	if len(h) == 0 {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, allowed := range h {
		allowed = strings.ToLower(allowed)
		if below, ok := strings.CutPrefix(allowed, "*"); ok && strings.HasSuffix(name, below) && len(name) > len(below) || name == allowed {
			return true
		}
	}
	return false
}

// CheckHost is nil for a text that [Config].Hosts may hold.
func CheckHost(text string) error {
	name := strings.TrimPrefix(text, "*.")
	if !named(name) || strings.ContainsAny(name, "*:/") || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q is no host such as images.example.com or *.example.com", text)
	}
	return nil
}
