// Package fetch gets files from URLs that callers name, without letting them reach what only this machine can. It is below everything that calls addresses given
// by callers: pictures by URL and webhooks of jobs have one guard.
package fetch

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"triton-gateway/internal/fault"
)

// reserved are the networks that are nobody's on the internet, besides those that netip names itself. From
// https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry; those that hold an IPv4 address inside are refused whole. 168.63.129.16 is
// public by its number, but is each machine's own host on Azure: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
func reserved() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range strings.Fields(`0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
		168.63.129.16/32
		64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10 ::/96 ::ffff:0:0:0/96`) {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// Guard decides which addresses may be called. It is safe for concurrent use.
type Guard struct {
	reserved, allowed []netip.Prefix
	ports             []int
	setting           string
}

// NewGuard makes a guard that opens public addresses and those in allowed, at these ports; setting is where the ports come from.
func NewGuard(allowed []netip.Prefix, ports []int, setting string) *Guard {
	return &Guard{reserved: reserved(), allowed: allowed, ports: ports, setting: setting}
}

// Open reports whether an address may be called.
func (g *Guard) Open(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(g.allowed, in) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(g.reserved, in)
}

// OpenPort reports whether a port may be called.
func (g *Guard) OpenPort(port int) bool { return slices.Contains(g.ports, port) }

// Control is for [net.Dialer]: it refuses an address when it is dialled, which is after its name was resolved, so that no second answer of the name's server counts.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !g.Open(at.Addr()) || !g.OpenPort(int(at.Port())) {
		return fault.New(fault.Forbidden, "forbidden", "this address may not be called")
	}
	return nil
}
