package cache

import (
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

func TestPing(t *testing.T) {
	server := parts.Redis(t, parts.WithPassword("s3cr3t"))
	config := Config{Redis: server.URL(), RedisDial: time.Minute}
	if err := Ping(t.Context(), config); err != nil {
		t.Error(err)
	}
	if names := direct(t, server.URL()).Keys(t.Context(), "*").Val(); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	for url, says := range map[string]string{
		strings.Replace(server.URL(), "s3cr3t", "n0tit", 1): "WRONGPASS", "redis://:n0tit@127.0.0.1:1": "refused", "redis://:n0tit/@h": "not a Redis URL", "": "not a Redis URL",
	} {
		if err := Ping(t.Context(), Config{Redis: url}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "n0tit") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := Ping(t.Context(), Config{Redis: server.URL(), TTL: -1}); err == nil {
		t.Error("a faulty configuration is accepted")
	}
}
