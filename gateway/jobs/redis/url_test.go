package redis

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestSettings(t *testing.T) {
	for raw, want := range map[string]struct {
		network, addr, user, password string
		db                            int
		server                        string // name in the certificate; "": no TLS
	}{
		"redis://localhost":                 {"tcp", "localhost:6379", "", "", 0, ""},
		"redis://u:p%40ss%2Fw@10.0.0.1/1":   {"tcp", "10.0.0.1:6379", "u", "p@ss/w", 1, ""},
		"redis://:secret@[::1]:6380":        {"tcp", "[::1]:6380", "", "secret", 0, ""},
		"rediss://u:p@jobs.example.org:1/2": {"tcp", "jobs.example.org:1", "u", "p", 2, "jobs.example.org"},
		"unix://u:p@/run/redis.sock?db=2":   {"unix", "/run/redis.sock", "u", "p", 2, ""},
	} {
		c, err := settings(Options{URL: raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if c.Network != want.network || c.Addr != want.addr || c.Username != want.user || c.Password != want.password || c.DB != want.db {
			t.Errorf("%s: %s %s %s %s %d", raw, c.Network, c.Addr, c.Username, c.Password, c.DB)
		}
		if (c.TLSConfig != nil) != (want.server != "") || c.TLSConfig != nil && (c.TLSConfig.ServerName != want.server || c.TLSConfig.InsecureSkipVerify) {
			t.Errorf("%s: TLS %+v", raw, c.TLSConfig)
		}
		if c.MaxRetries != -1 || c.ReadTimeout != replyFor || !c.ContextTimeoutEnabled || c.Protocol != 2 {
			t.Errorf("%s: not our limits", raw)
		}
	}
}

func TestOptionFaultsShowNoSecret(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		o    Options
		says string
	}{
		{Options{URL: "redis://user:s3cr3t/x@host:6379/0"}, "redis://user:password@"},
		{Options{URL: "redis://user:1?s3cr3t@host"}, "redis://user:password@"},
		{Options{URL: "redis://user:1#s3cr3t@host"}, "redis://user:password@"},
		{Options{URL: "http://user:s3cr3t@host"}, "redis://user:password@"},
		{Options{URL: "redis://user:s3cr3t@host/-1"}, "redis://user:password@"},
		{Options{URL: "redis://user:s3cr3t@ho\x7fst"}, "redis://user:password@"},
		{Options{URL: "redis://user:s3cr3t@host?oops=1"}, "redis://user:password@"},
		{Options{URL: ""}, "redis://user:password@"},
		{Options{URL: "redis://:s3cr3t@h", CAFile: empty}, "rediss://"},
		{Options{URL: "rediss://:s3cr3t@h", CAFile: empty}, "no PEM"},
		{Options{URL: "rediss://:s3cr3t@h", CAFile: empty + "x"}, "no such file"},
		{Options{URL: "redis://:s3cr3t@h/1", Cluster: true}, "without a database"},
		{Options{URL: "redis://:s3cr3t@h", Prefix: "a{b}"}, "brace"},
		{Options{URL: "redis://:s3cr3t@h", MaxJobs: -1}, "negative"},
		{Options{URL: "redis://:s3cr3t@h", MaxBytes: -1}, "negative"},
	} {
		if s, err := Open(t.Context(), step.o); err == nil || s != nil || !strings.Contains(err.Error(), step.says) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%+v: %v", step.o, err)
		}
	}
}

// TestReached: password, TLS and socket, with the right and the wrong ones.
func TestReached(t *testing.T) {
	secure := parts.Redis(t, parts.WithPassword("s3cr3t"), parts.WithTLS())
	socket := parts.Redis(t, parts.WithPassword("s3cr3t"), parts.WithUnixSocket())
	for _, o := range []Options{{URL: secure.URL(), CAFile: secure.CAFile}, {URL: socket.URL()}} {
		s := open(t, o)
		lease(t, s, add(t, s).ID)
	}
	for name, o := range map[string]Options{
		"wrong password":    {URL: strings.Replace(socket.URL(), "s3cr3t", "n0tit", 1)},
		"no password":       {URL: strings.Replace(socket.URL(), ":s3cr3t@", "", 1)},
		"unknown authority": {URL: secure.URL()},
		"no TLS":            {URL: strings.Replace(secure.URL(), "rediss:", "redis:", 1)},
		"nobody there":      {URL: "redis://:n0tit@127.0.0.1:1"},
	} {
		log := new(journal)
		o.Log = log.logger()
		ctx, cancel := context.WithCancel(t.Context())
		s := open(t, o)
		s.patience = 0
		_, err := s.Get(ctx, "x")
		cancel()
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
		all := err.Error() + log.String()
		if strings.Contains(all, "s3cr3t") || strings.Contains(all, "n0tit") || !strings.Contains(log.String(), "cannot be used yet") {
			t.Errorf("%s: %s", name, all)
		}
	}
}

func TestWarnings(t *testing.T) {
	const evicts, log, disk = "evicts keys", "writes no log", "does not wait for its disk"
	for _, step := range []struct {
		args []string
		says []string
	}{
		{[]string{"--appendonly", "yes", "--appendfsync", "always"}, nil},
		{[]string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "1gb"}, nil}, // noeviction is the default
		{[]string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"}, []string{evicts}},
		{[]string{"--appendonly", "yes"}, []string{disk}},
		{[]string{"--maxmemory", "1gb", "--maxmemory-policy", "volatile-ttl"}, []string{evicts, log}},
		{[]string{"--rename-command", "CONFIG", ""}, nil}, // it does not tell
	} {
		text := new(journal)
		s := open(t, Options{URL: parts.Redis(t, parts.WithRedisArgs(step.args...)).URL(), Log: text.logger()})
		if got := s.Warnings(t.Context()); len(got) != len(step.says) || strings.Count(text.String(), "level=WARN") != len(got) {
			t.Errorf("%v: %q", step.args, got)
		}
		for _, says := range step.says {
			if !strings.Contains(text.String(), says) {
				t.Errorf("%v: %s does not say %q", step.args, text, says)
			}
		}
	}
}

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{"redis://localhost:6379/0", "rediss://u:p@h:1/2?dial_timeout=3", "unix:///x?db=1", "redis://[::1]", "://", "redis://h/99999999999999999999", "redis://h?protocol=3&max_retries=9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := settings(Options{URL: raw})
		if err == nil && (c.MaxRetries != -1 || c.Protocol != 2 || c.DB < 0) {
			t.Errorf("%q: %+v", raw, c)
		}
	})
}
