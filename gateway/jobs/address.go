package jobs

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"triton-gateway/internal/fault"
)

// reserved are the networks that are nobody's on the internet, besides those that netip names itself. From
// https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry; those that hold an IPv4 address inside are refused whole.
func reserved() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range strings.Fields(`0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
		64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10 ::/96`) {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// addresses decides which addresses a webhook may be at.
type addresses struct {
	reserved, allowed []netip.Prefix
	ports             []int
}

// open reports whether an address may be called.
func (a *addresses) open(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(a.allowed, in) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(a.reserved, in)
}

// control refuses an address when it is dialled: after the name was resolved, so that no second answer of the name's server counts.
func (a *addresses) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !a.open(at.Addr()) || !slices.Contains(a.ports, int(at.Port())) {
		return fault.New(fault.Forbidden, "forbidden", "a webhook may not be called at this address")
	}
	return nil
}

const (
	mostURL = 2048
	resolve = 2 * time.Second // that a name's server may take while a job is handed in
)

// checkWebhook refuses a URL that could not be called. A name that cannot be resolved now may be later.
func (s *Service) checkWebhook(ctx context.Context, text string) error {
	const at = "query.webhook"
	if text == "" {
		return nil
	}
	if len(s.Webhook.Secret) == 0 {
		return invalid(at, "webhooks are off, because there is no secret to sign them with; set jobs.webhook_secret, or leave the webhook out")
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > mostURL || u.Hostname() == "" || u.Opaque != "" {
		return invalid(at, "the webhook is no URL with a host, or is longer than %d characters", mostURL)
	}
	port := map[string]int{"http": 80, "https": 443}[u.Scheme]
	if port == 0 {
		return invalid(at, "the webhook's scheme is neither http nor https")
	}
	if u.User != nil {
		return invalid(at, "the webhook holds a user name or password; leave them out, and check the signature instead")
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return invalid(at, "the webhook's port is no number")
		}
	}
	if !slices.Contains(s.tells.addresses.ports, port) {
		return invalid(at, "the webhook's port is %d; allowed are %v (jobs.webhook_ports)", port, s.tells.addresses.ports)
	}
	ctx, cancel := context.WithTimeout(ctx, resolve)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil
	}
	for _, ip := range list {
		if !s.tells.addresses.open(ip) {
			return invalid(at, "the webhook is at a private or reserved address; use a public one, or allow its network with jobs.webhook_allow")
		}
	}
	return nil
}
