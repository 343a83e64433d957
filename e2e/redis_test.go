package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

func picture(t *testing.T, name string) []byte {
	t.Helper()
	return readFile(t, "model_repository/shapes/golden/"+name)
}

func TestGatewaysShareRedisAndItSurvivesARestart(t *testing.T) {
	for name, options := range map[string][]parts.RedisOption{
		"password": {parts.WithPassword("s3cret/with:odd@characters")},
		"TLS":      {parts.WithTLS()},
		"socket":   {parts.WithUnixSocket()},
	} {
		t.Run(name, func(t *testing.T) {
			redis := parts.Redis(t, options...)
			settings := []string{"GATEWAY_CACHE__REDIS=" + redis.URL()}
			if redis.CAFile != "" {
				settings = append(settings, "GATEWAY_CACHE__REDIS_CA="+redis.CAFile)
			}
			a, b := start(t, settings...), start(t, settings...)
			first := a.infer(t, "shapes", "", picture(t, "circle-1.png"))
			if first.FromCache {
				t.Fatal("an empty Redis had an answer")
			}
			computed := map[string]bool{first.ID: true}
			// By digest, for that computes nothing: Redis is written after the answer, and until then the other gateway would compute its own. A gateway waits 100 ms for
			// Redis, and does without it on a machine that is too slow for that: then the answer is computed once more.
			found := func(g *gateway, more func()) (r reply) {
				eventually(t, "the gateway finds the answer in Redis", func() bool {
					r = do(t, "GET", fmt.Sprintf("%s/v1/models/shapes/results/%x", g.URL, sha256.Sum256(picture(t, "circle-1.png"))), "", nil)
					if r.status != http.StatusOK {
						more()
					}
					return r.status == http.StatusOK
				})
				if !computed[r.ID] || r.header.Get("Cache-Status") != "triton-gateway; hit; detail=redis" {
					t.Errorf("%s, which is none of %v; Cache-Status: %s", r.ID, computed, r.header.Get("Cache-Status"))
				}
				return r
			}
			found(b, func() { computed[a.infer(t, "shapes", "cache=no-cache", picture(t, "circle-1.png")).ID] = true })
			var again reply
			eventually(t, "the third time the answer comes from memory", func() bool {
				if again = b.infer(t, "shapes", "", picture(t, "circle-1.png")); !again.FromCache {
					computed[again.ID] = true // it lost Redis for a while, and with it the right to trust its memory
				}
				return again.header.Get("Cache-Status") == "triton-gateway; hit; detail=memory"
			})
			if !computed[again.ID] {
				t.Errorf("the third time: %s, which is none of %v", again.ID, computed)
			}
			if err := a.Stop(); err != nil {
				t.Fatal(err)
			}
			found(start(t, settings...), func() {}) // a restarted one knows what Redis knows
		})
	}
}

func TestKeysInRedisHoldDigestsOnly(t *testing.T) {
	redis := parts.Redis(t)
	g := start(t, "GATEWAY_CACHE__REDIS="+redis.URL())
	var keys string
	eventually(t, "the answer and its tensors are written", func() bool {
		g.infer(t, "shapes", "cache=no-cache", picture(t, "circle-1.png")) // each time anew: a gateway does without a Redis that is slow
		host, port, _ := net.SplitHostPort(redis.Addr)
		out, err := exec.Command("redis-cli", "-h", host, "-p", port, "keys", "tg:1:*").Output()
		if err != nil {
			t.Fatal(err)
		}
		keys = string(out)
		return strings.Count(keys, "\n") >= 2
	})
	for _, key := range strings.Fields(keys) {
		for _, part := range strings.Split(key, ":")[2:] {
			if strings.Trim(part, "0123456789abcdef") != "" || len(part) < 16 {
				t.Errorf("key %s holds something that is no digest", key)
			}
		}
	}
}

// Whatever Redis does, every request succeeds.
func TestNoRequestFailsForRedis(t *testing.T) {
	ask := func(t *testing.T, g *gateway, n int) {
		t.Helper()
		for i := range n {
			if r := g.infer(t, "shapes", "cache=default", picture(t, "circle-1.png")); len(r.Predictions) == 0 {
				t.Fatalf("request %d: %s", i, r.body)
			}
			if r := g.infer(t, "shapes", "cache=no-cache", picture(t, "square-1.png")); len(r.Predictions) == 0 {
				t.Fatalf("request %d: %s", i, r.body)
			}
		}
	}
	t.Run("hung", func(t *testing.T) {
		redis := parts.Redis(t)
		g := start(t, "GATEWAY_CACHE__REDIS="+redis.URL(), "GATEWAY_CACHE__MEMORY=0")
		ask(t, g, 2)
		if err := redis.Pause(); err != nil {
			t.Fatal(err)
		}
		ask(t, g, 20)
		if err := redis.Resume(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "Redis is used again", func() bool {
			return g.infer(t, "shapes", "", picture(t, "circle-1.png")).FromCache
		})
	})
	t.Run("killed", func(t *testing.T) {
		redis := parts.Redis(t)
		g := start(t, "GATEWAY_CACHE__REDIS="+redis.URL(), "GATEWAY_CACHE__MEMORY=0")
		ask(t, g, 2)
		redis.Kill()
		ask(t, g, 20)
	})
	t.Run("never there", func(t *testing.T) {
		ask(t, start(t, "GATEWAY_CACHE__REDIS=redis://"+parts.FreeAddr(t)), 5)
	})
	t.Run("wrong password", func(t *testing.T) {
		redis := parts.Redis(t, parts.WithPassword("right"))
		ask(t, start(t, "GATEWAY_CACHE__REDIS="+strings.Replace(redis.URL(), "right", "wrong", 1)), 5)
	})
	t.Run("garbage", func(t *testing.T) {
		ask(t, start(t, "GATEWAY_CACHE__REDIS=redis://"+garbageServer(t)), 5)
	})
}

// garbageServer answers whatever it is sent with bytes that mean nothing.
func garbageServer(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 4096)
				for {
					if _, err := conn.Read(buffer); err != nil {
						return
					}
					if _, err := conn.Write([]byte("$-7\r\n*99999999\r\n\x00\xff:garbage\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestPurge(t *testing.T) {
	redis := parts.Redis(t)
	g := start(t, "GATEWAY_CACHE__REDIS="+redis.URL())
	first := g.infer(t, "shapes", "", picture(t, "circle-1.png"))
	if r := do(t, "DELETE", g.URL+"/v1/cache?model=shapes", "", nil); r.status != http.StatusForbidden {
		t.Errorf("a purge on the public listener: %d", r.status)
	}
	if r := do(t, "DELETE", g.admin(t)+"/v1/cache?model=shapes", "", nil); r.status != http.StatusNoContent {
		t.Fatalf("purge: %d %s", r.status, r.body)
	}
	if r := g.infer(t, "shapes", "", picture(t, "circle-1.png")); r.FromCache || r.ID == first.ID {
		t.Error("a purged answer was served")
	}
}
