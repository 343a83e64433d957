package cache

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// faulty is a cache with a log, which waits for Redis no longer than patience; 0: as long as in a gateway.
func faulty(t *testing.T, url string, patience time.Duration) (*Tiered, *syncBuffer) {
	log := &syncBuffer{}
	c, err := New(Config{Memory: mib, Redis: url, RedisTimeout: patience, RedisDial: patience}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, log
}

// serve asks for n new keys; every one must be answered rightly. It gives the time of the slowest but one in a hundred.
func serve(t *testing.T, c *Tiered, n int) time.Duration {
	t.Helper()
	var times []time.Duration
	for range n {
		name := fmt.Sprint(rand.Uint64())
		start := time.Now()
		value, out, err := c.Do(t.Context(), keyOf(1, name), Default, 0, func(context.Context) ([]byte, bool, error) { return []byte(name), true, nil })
		times = append(times, time.Since(start))
		if string(value) != name || out.Hit || err != nil {
			t.Fatalf("%q, %+v, %v", value, out, err)
		}
	}
	slices.Sort(times)
	return times[(len(times)-1)*99/100]
}

// wantUse waits until values go to Redis and come from it.
func wantUse(t *testing.T, c *Tiered) {
	t.Helper()
	start := time.Now()
	parts.Until(t, "Redis in use", time.Minute, func() bool {
		name := fmt.Sprint(rand.Uint64())
		_, _, err := c.Do(t.Context(), keyOf(1, name), Default, 0, func(context.Context) ([]byte, bool, error) { return []byte(name), true, nil })
		if err != nil {
			t.Fatal(err)
		}
		settled(t, c.remote)()
		it, ok := c.remote.get(t.Context(), keyOf(1, name))
		return ok && string(it.data) == name
	})
	t.Logf("in use again after %v", time.Since(start).Round(time.Millisecond))
}

// TestRedisFaults: whatever Redis does, every request is answered; soon none waits for it; and it is used again once it is well.
func TestRedisFaults(t *testing.T) {
	for name, inject := range map[string]func(*testing.T, *parts.RedisServer, *proxy) (heal func() error){
		"hangs": func(t *testing.T, s *parts.RedisServer, _ *proxy) func() error {
			if err := s.Pause(); err != nil {
				t.Fatal(err)
			}
			return s.Resume
		},
		"is killed": func(_ *testing.T, s *parts.RedisServer, _ *proxy) func() error { s.Kill(); return s.Restart },
		"answers after a second": func(_ *testing.T, _ *parts.RedisServer, p *proxy) func() error {
			p.slow(time.Second)
			return func() error { p.slow(0); return nil }
		},
		"is cut off": func(t *testing.T, _ *parts.RedisServer, p *proxy) func() error {
			p.cut()
			return func() error { p.mend(t); return nil }
		},
		"wants another password": func(t *testing.T, s *parts.RedisServer, p *proxy) func() error {
			client := direct(t, s.URL())
			if err := client.ConfigSet(t.Context(), "requirepass", "new").Err(); err != nil {
				t.Fatal(err)
			}
			p.cut()
			p.mend(t)
			return func() error { return client.ConfigSet(context.Background(), "requirepass", "").Err() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := parts.Redis(t)
			p := newProxy(t, server.Addr)
			c, log := faulty(t, "redis://"+p.addr, 0)
			wantUse(t, c)
			said := strings.Count(log.String(), "goes on without Redis") // 0, but for a machine that stood still
			heal := inject(t, server, p)
			parts.Until(t, "open", time.Minute, func() bool { serve(t, c, 5); return c.Stats().Breaker != "closed" })
			t.Logf("p99 with the breaker open: %v", serve(t, c, 1000))
			if n := strings.Count(log.String(), "goes on without Redis"); n != said+1 {
				t.Errorf("said %d times: %s", n-said, log.String())
			}
			if _, err := c.Records().Load(t.Context(), "a"); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("record: %v", err)
			}
			if err := c.Purge(t.Context(), nil); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("purge: %v", err)
			}
			if err := heal(); err != nil {
				t.Fatal(err)
			}
			wantUse(t, c)
			if !strings.Contains(log.String(), "uses Redis again") {
				t.Errorf("said: %s", log.String())
			}
		})
	}
}

// TestRedisRefusesWrites: it still answers from what it has.
func TestRedisRefusesWrites(t *testing.T) {
	for name, settings := range map[string][2][]any{
		"full":    {{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"}},
		"replica": {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := parts.Redis(t)
			client := direct(t, server.URL())
			c, log := faulty(t, server.URL(), time.Minute)
			wantUse(t, c)
			key := keyOf(3, "before")
			it, _ := c.remote.get(t.Context(), key)
			it.data, it.expires = []byte("x"), time.Now().Add(time.Hour)
			c.remote.set(t.Context(), key, it)
			settled(t, c.remote)()
			if err := client.Do(t.Context(), settings[0]...).Err(); err != nil {
				t.Fatal(err)
			}
			parts.Until(t, "open for writing", time.Minute, func() bool { serve(t, c, 1); settled(t, c.remote)(); return c.Stats().WriteBreaker != "closed" })
			serve(t, c, 300)
			if value, out, ok := c.Get(t.Context(), key); !ok || string(value) != "x" || out.Detail != "redis" {
				t.Errorf("%q, %+v", value, out)
			}
			if s := c.Stats(); s.Breaker != "closed" || s.Redis.Drops == 0 {
				t.Errorf("%+v", s)
			}
			if err := client.Do(t.Context(), settings[1]...).Err(); err != nil {
				t.Fatal(err)
			}
			wantUse(t, c)
			if n := strings.Count(log.String(), "goes on without writing to Redis"); n != 1 {
				t.Errorf("said %d times: %s", n, log.String())
			}
		})
	}
}

// TestNotRedis: what answers is no Redis, or an ill one.
func TestNotRedis(t *testing.T) {
	repeat := func(answer string) func(net.Conn) {
		return func(conn net.Conn) {
			lines := bufio.NewReader(conn)
			for {
				if _, err := lines.ReadString('\n'); err != nil {
					return
				}
				if _, err := io.WriteString(conn, answer); err != nil {
					return
				}
			}
		}
	}
	for name, serveConn := range map[string]func(net.Conn){
		"HTTP":          repeat("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
		"loading":       repeat("-LOADING Redis is loading the dataset in memory\r\n"),
		"a huge string": repeat("$99999999999\r\n"),
		"endless depth": repeat(strings.Repeat("*1\r\n", 10_000)),
		"closes":        func(net.Conn) {},
		"is silent":     func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"noise": func(conn net.Conn) {
			noise := make([]byte, 64)
			for {
				for i := range noise {
					noise[i] = "+-:$*\r\n0123456789abc\x00\xff"[rand.IntN(22)]
				}
				if _, err := conn.Write(noise); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, log := faulty(t, fake(t, serveConn), 0)
			parts.Until(t, "open", time.Minute, func() bool { serve(t, c, 3); return c.Stats().Breaker != "closed" })
			serve(t, c, 300)
			if n := strings.Count(log.String(), "goes on without Redis"); n != 1 {
				t.Errorf("said %d times: %s", n, log.String())
			}
		})
	}
}

// TestStartsWithoutRedis: nothing waits for it, it is said once, and it is used when it comes.
func TestStartsWithoutRedis(t *testing.T) {
	server := parts.Redis(t)
	p := newProxy(t, server.Addr)
	p.cut()
	c, log := faulty(t, "redis://:secret@"+p.addr, time.Minute)
	parts.Until(t, "said", time.Minute, func() bool { return strings.Contains(log.String(), "goes on without Redis") })
	serve(t, c, 100)
	p.mend(t)
	if err := direct(t, server.URL()).ConfigSet(t.Context(), "requirepass", "secret").Err(); err != nil {
		t.Fatal(err)
	}
	wantUse(t, c)
	if strings.Count(log.String(), "goes on without Redis") != 1 || strings.Contains(log.String(), "secret") {
		t.Error(log.String())
	}
}
