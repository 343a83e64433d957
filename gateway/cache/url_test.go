package cache

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func parse(raw string, ca string) (Config, error) {
	config, err := Config{Redis: raw, RedisCA: ca}.withDefaults()
	return config, err
}

func TestOptions(t *testing.T) {
	for raw, want := range map[string]struct {
		network, addr, user, password string
		db                            int
		server                        string // name in the certificate; "": no TLS
	}{
		"redis://localhost":                  {"tcp", "localhost:6379", "", "", 0, ""},
		"redis://localhost:7000/3":           {"tcp", "localhost:7000", "", "", 3, ""},
		"redis://u:p%40ss%2Fw@10.0.0.1/1":    {"tcp", "10.0.0.1:6379", "u", "p@ss/w", 1, ""},
		"redis://:secret@[::1]:6380":         {"tcp", "[::1]:6380", "", "secret", 0, ""},
		"rediss://u:p@cache.example.org:1/2": {"tcp", "cache.example.org:1", "u", "p", 2, "cache.example.org"},
		"unix:///run/redis.sock?db=2":        {"unix", "/run/redis.sock", "", "", 2, ""},
		"unix://u:p@/run/redis.sock":         {"unix", "/run/redis.sock", "u", "p", 0, ""},
	} {
		config, _ := parse(raw, "")
		o, err := options(config)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if o.Network != want.network || o.Addr != want.addr || o.Username != want.user || o.Password != want.password || o.DB != want.db {
			t.Errorf("%s: %s %s %s %s %d", raw, o.Network, o.Addr, o.Username, o.Password, o.DB)
		}
		if (o.TLSConfig != nil) != (want.server != "") || o.TLSConfig != nil && (o.TLSConfig.ServerName != want.server || o.TLSConfig.InsecureSkipVerify) {
			t.Errorf("%s: TLS %+v", raw, o.TLSConfig)
		}
		if o.MaxRetries != -1 || o.DialTimeout != 250*time.Millisecond || !o.ContextTimeoutEnabled || o.Protocol != 2 {
			t.Errorf("%s: not our limits", raw)
		}
	}
}

func TestURLFaultsShowNoSecret(t *testing.T) {
	for _, raw := range []string{
		"redis://user:s3cr3t/x@host:6379/0", "redis://user:1?s3cr3t@host", "redis://user:1#s3cr3t@host", "redis://user:s3cr3t@host:port/0",
		"http://user:s3cr3t@host", "s3cr3t", "redis://user:s3cr3t@host/-1", "redis://user:s3cr3t@host/1/2", "redis://user:s3cr3t@host?oops=1",
		"unix://user:s3cr3t@", "redis://us er:s3cr3t@host", "redis://user:s3cr3t%zz@host", "redis://user:s3cr3t@ho\x7fst",
	} {
		config, _ := parse(raw, "")
		if _, err := options(config); err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "redis://user:password@") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestCAFaults(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ url, ca, says string }{
		{"redis://:s3cr3t@h", empty, "rediss://"}, {"rediss://:s3cr3t@h", empty, "no PEM"}, {"rediss://:s3cr3t@h", empty + "x", "no such file"},
	} {
		config, _ := parse(step.url, step.ca)
		if _, err := options(config); err == nil || !strings.Contains(err.Error(), step.says) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s %s: %v", step.url, step.ca, err)
		}
	}
}

func FuzzOptions(f *testing.F) {
	for _, seed := range []string{"redis://localhost:6379/0", "rediss://u:p@h:1/2?dial_timeout=3", "unix:///x?db=1", "redis://[::1]", "://", "redis://h/99999999999999999999", "redis://h?protocol=3&max_retries=9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		config, err := parse(raw, "")
		if err != nil {
			t.Fatal(err)
		}
		o, err := options(config)
		if err != nil {
			if err.Error() != errURL.Error() {
				t.Errorf("the error tells of the URL: %v", err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || o.Addr == "" || o.DB < 0 || o.MaxRetries != -1 || o.Protocol != 2 || o.Dialer == nil || (u.Scheme == "rediss") != (o.TLSConfig != nil) {
			t.Errorf("%q: %+v", raw, o)
		}
	})
}
