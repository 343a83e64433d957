package jobs

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
)

// FuzzWebhookAddress: what is taken for a webhook is http or https, and an address in numbers is a public one at a port that may be called. Names are not asked for.
func FuzzWebhookAddress(f *testing.F) {
	for _, seed := range []string{
		"", "https://example.test/hook", "http://93.184.216.34:8080/x", "http://127.0.0.1/", "http://[::1]:443/", "http://10.0.0.1", "http://169.254.169.254/latest",
		"http://[::ffff:127.0.0.1]/", "ftp://1.1.1.1", "http://1.1.1.1:22/", "http://u:p@1.1.1.1/", "http://0x7f.1/", "http://1.1.1.1#x", "//1.1.1.1/", "http://1.1.1.1:99999/",
		"http://[fe80::1%25eth0]/", "http://[64:ff9b::7f00:1]/", "http://2130706433/", "https://1.1.1.1:443/?a=b", "http:1.1.1.1", "http://1.1.1.1\n/",
	} {
		f.Add(seed)
	}
	s := New(Deps{Webhook: Webhook{Secret: []byte("s")}, Store: Store(nil)})
	gone, cancel := context.WithCancel(context.Background())
	cancel() // a name is not looked up
	f.Fuzz(func(t *testing.T, text string) {
		err := s.checkWebhook(gone, text)
		var e *fault.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil || text == "" {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			t.Fatalf("%q is taken", text)
		}
		if ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && (ip.Unmap().IsLoopback() || ip.Unmap().IsPrivate() || ip.Unmap().IsLinkLocalUnicast()) {
			t.Errorf("%q is taken", text)
		}
	})
}
