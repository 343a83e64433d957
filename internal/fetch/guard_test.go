package fetch

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestOpen: one address of every kind that is not somebody's on the internet, and the same addresses hidden in IPv6.
func TestOpen(t *testing.T) {
	g := NewGuard(nil, []int{80}, "x")
	for _, ip := range strings.Fields(`0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1
		192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
		:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::
		3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1`) {
		if g.Open(netip.MustParseAddr(ip)) {
			t.Errorf("%s may be called", ip)
		}
	}
	for _, ip := range strings.Fields(`1.1.1.1 93.184.216.34 100.63.255.255 100.128.0.1 172.32.0.1 192.0.1.1 223.255.255.255 ::ffff:1.1.1.1 2606:4700:4700::1111 2a00::1`) {
		if !g.Open(netip.MustParseAddr(ip)) {
			t.Errorf("%s may not be called", ip)
		}
	}
	some := NewGuard([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/16")}, nil, "x")
	for ip, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00::1": true, "fd01::1": false, "1.1.1.1": true} {
		if some.Open(netip.MustParseAddr(ip)) != want {
			t.Errorf("%s: %v", ip, !want)
		}
	}
}

func TestControl(t *testing.T) {
	g := NewGuard(nil, []int{80, 443}, "x")
	for address, want := range map[string]bool{"1.1.1.1:80": true, "1.1.1.1:443": true, "1.1.1.1:22": false, "127.0.0.1:80": false, "[::1]:443": false, "[2a00::1]:80": true, "name:80": false, "": false} {
		if err := g.Control("tcp", address, nil); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestURL(t *testing.T) {
	g := NewGuard(nil, []int{80, 443}, "some.ports")
	for text, want := range map[string]string{
		"https://example.test/a.png?b=c#d": "", "http://1.1.1.1": "", "http://[2a00::1]:443/": "", "http://EXAMPLE.test:80": "",
		"": "no URL", "example.test": "no URL", "//example.test": "scheme", "http:1.1.1.1": "no URL", "http://": "no URL", "file:///etc/passwd": "no URL", "ftp://example.test": "scheme",
		"gopher://example.test:80/": "scheme", "http://u@example.test": "user name", "http://u:p@example.test": "user name", "http://example.test:22": "port 22; allowed are [80 443] (some.ports)",
		"http://example.test:0": "port 0", "http://[fe80::1%25eth0]/": "no URL", "http://a b/": "no URL", "http://ä.test/": "no URL", "http://example.test/" + strings.Repeat("x", mostURL): "no URL",
		"http://" + strings.Repeat("x", 254): "no URL", "http://a\\b/": "no URL", "http://example.test\n/": "no URL", "http://a<b>/": "no URL",
	} {
		u, err := g.URL(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && u == nil {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
}

func TestHosts(t *testing.T) {
	list := hosts{"images.example.com", "*.cdn.test"}
	for name, want := range map[string]bool{"images.example.com": true, "IMAGES.example.com.": true, "a.cdn.test": true, "a.b.cdn.test": true, "cdn.test": false, ".cdn.test": false,
		"evilcdn.test": false, "images.example.com.evil.test": false, "example.com": false, "": false} {
		if list.has(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if !hosts(nil).has("any.test") {
		t.Error("none is all")
	}
	for text, want := range map[string]bool{"images.example.com": true, "*.example.com": true, "": false, "*": false, "*.": false, "a.*.com": false, "https://a.test": false, "a.test:80": false, "a b": false, "*..a": false} {
		if err := CheckHost(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzURL: what is taken is http or https to a host at a port that is open, and an address in numbers is dialled only where it is public.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"", "https://example.test/x", "http://127.0.0.1/", "http://[::1]:443/", "http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "ftp://1.1.1.1", "http://1.1.1.1:22/",
		"http://u:p@1.1.1.1/", "http://0x7f.1/", "http://2130706433/", "http://1.1.1.1#@x", "//1.1.1.1/", "http://1.1.1.1:99999/", "http://[fe80::1%25eth0]/", "http://[64:ff9b::7f00:1]/", "http:1.1.1.1",
		"http://1.1.1.1\r\nX: y/", "http://a%2fb/", "http://[::1]%00/", "HTTP://A:080/"} {
		f.Add(seed)
	}
	g := NewGuard(nil, []int{80, 443}, "x")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := g.URL(text)
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(u.Host, "@ \t\r\n/\\") {
			t.Fatalf("%q is taken as %q", text, u)
		}
		again, err := g.URL(u.String())
		if err != nil || again.Host != u.Host || again.Scheme != u.Scheme {
			t.Fatalf("%q is %q, and then %v, %v", text, u, again, err)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
			port := u.Port()
			if port == "" {
				port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
			}
			private := ip.Unmap().IsLoopback() || ip.Unmap().IsPrivate() || ip.Unmap().IsLinkLocalUnicast() || ip.Unmap().IsMulticast() || ip.Unmap().IsUnspecified()
			if g.Control("tcp", net.JoinHostPort(ip.String(), port), nil) == nil && private {
				t.Fatalf("%q may be dialled", text)
			}
		}
	})
}
