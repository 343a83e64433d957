package quota

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/parts"
)

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// withRedis makes a limiter that waits for Redis for as long as a busy machine may need.
func withRedis(t testing.TB, url string, tier Tier) (*Limiter, *safeBuffer) {
	return withPatience(t, url, tier, time.Minute, time.Minute)
}

func withPatience(t testing.TB, url string, tier Tier, request, exchange time.Duration) (*Limiter, *safeBuffer) {
	var log safeBuffer
	l := newLimiter(t, Config{Tiers: map[string]Tier{DefaultTier: tier}, Redis: url, Log: slog.New(slog.NewTextHandler(&log, nil)), patience: request, exchange: exchange})
	return l, &log
}

func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// press sends requests from several goroutines until ctx ends, and counts those that came in.
func press(ctx context.Context, n int, passed *atomic.Int64, longest *atomic.Int64, list ...*Limiter) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, l := range list {
		for range n {
			all.Go(func() {
				for ctx.Err() == nil {
					start := time.Now()
					p, err := l.Enter(context.Background(), web, 0)
					took := int64(time.Since(start))
					for {
						if had := longest.Load(); took <= had || longest.CompareAndSwap(had, took) {
							break
						}
					}
					if err == nil {
						passed.Add(1)
						p.Leave()
						continue
					}
					time.Sleep(200 * time.Microsecond) // leaves a processor for Redis
				}
			})
		}
	}
	return &all
}

func TestTwoGatewaysKeepOneQuota(t *testing.T) {
	server := parts.Redis(t)
	for _, text := range []string{"2000/s", "40/2s", "30/m"} {
		t.Run(strings.ReplaceAll(text, "/", " in "), func(t *testing.T) {
			limit := rate(t, Requests, text)
			tier := Tier{Limits: []Limit{limit}}
			a, _ := withRedis(t, server.URL(), tier)
			b, _ := withRedis(t, server.URL(), tier)
			const seconds = 2
			var passed, longest atomic.Int64
			in(t, a, web, 0).Leave() // both are connected
			in(t, b, web, 0).Leave()
			passed.Add(2)
			start := time.Now()
			least := 0.7 * (limit.Quota + limit.perSecond()*seconds)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			load := press(ctx, 4, &passed, &longest, a, b)
			parts.Until(t, "two seconds are over, and what is allowed in them has been let in", time.Minute, func() bool {
				return time.Since(start) > seconds*time.Second && float64(passed.Load()) >= least
			})
			cancel()
			load.Wait()
			took := time.Since(start).Seconds()
			most := limit.Quota + limit.perSecond()*(took+0.2)
			got := float64(passed.Load())
			t.Logf("%s: %.0f let in within %.2f s, at most %.0f, longest %v, %+v", text, got, took, most, time.Duration(longest.Load()), *a.Stats().Shared)
			if got > most {
				t.Errorf("%.0f let in, at most %.0f are allowed", got, most)
			}
			if n := client(t, server.URL()).DBSize(t.Context()).Val(); n < 1 {
				t.Error("nothing is shared")
			}
			server2 := client(t, server.URL())
			if err := server2.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCostOfOneGatewayHoldsForTheOther(t *testing.T) {
	server := parts.Redis(t)
	tier := Tier{Limits: []Limit{rate(t, Pixels, "10/m"), daily(t, Inference, "1m")}}
	a, _ := withRedis(t, server.URL(), tier)
	b, _ := withRedis(t, server.URL(), tier)
	p := in(t, a, web, 0)
	p.Add(Pixels, 25e6)
	p.Add(Inference, 1000)
	p.Leave()
	parts.Until(t, "b refuses", time.Minute, func() bool {
		u, ok := b.Usage(web)
		return ok && u.Limits[0].Left < 0 && u.Limits[1].Left <= 59_000
	})
	if after := out(t, b, web, "megapixels"); after < 20*time.Second || after > 90*time.Second {
		t.Error(after)
	}
	keys := client(t, server.URL()).Keys(t.Context(), "*").Val()
	for _, k := range keys {
		if life := client(t, server.URL()).PTTL(t.Context(), k).Val(); life <= 0 || !strings.HasPrefix(k, keyPrefix) {
			t.Errorf("%s lives %v", k, life)
		}
	}
}

func TestUnusedLeasesComeBack(t *testing.T) {
	server := parts.Redis(t)
	tier := Tier{Limits: []Limit{daily(t, Requests, "80")}}
	a, _ := withRedis(t, server.URL(), tier)
	b, _ := withRedis(t, server.URL(), tier)
	for range 40 {
		in(t, a, web, 0).Leave()
	}
	parts.Until(t, "a has given back", time.Minute, func() bool {
		u, _ := b.Usage(web)
		return u.Limits[0].Left == 40
	})
	for range 40 {
		in(t, b, web, 0).Leave()
	}
	out(t, b, web, "day's budget")
	out(t, a, web, "day's budget")
}

func TestCloseGivesBack(t *testing.T) {
	server := parts.Redis(t)
	tier := Tier{Limits: []Limit{daily(t, Requests, "800")}}
	a, err := New(Config{Tiers: map[string]Tier{DefaultTier: tier}, Redis: server.URL(), patience: time.Minute, exchange: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		in(t, a, web, 0).Leave()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ := withRedis(t, server.URL(), tier)
	if u, _ := b.Usage(web); u.Limits[0].Left != 700 {
		t.Errorf("%+v", u)
	}
}

// TestRedisFails kills, freezes and restarts Redis under load: nobody waits for it, and quotas hold in each gateway.
func TestRedisFails(t *testing.T) {
	for name, fail := range map[string]struct {
		off, on func(*parts.RedisServer) error
	}{
		"kill": {func(s *parts.RedisServer) error { s.Kill(); return nil }, (*parts.RedisServer).Restart},
		"hang": {func(s *parts.RedisServer) error { return s.Pause() }, func(s *parts.RedisServer) error { return s.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			server := parts.Redis(t)
			tier := Tier{Limits: []Limit{rate(t, Requests, "500/s"), daily(t, Requests, "1000000")}}
			l, log := withPatience(t, server.URL(), tier, 100*time.Millisecond, 2*time.Second)
			var passed, longest atomic.Int64
			ctx, cancel := context.WithCancel(t.Context())
			load := press(ctx, 4, &passed, &longest, l)
			defer load.Wait()
			defer cancel()
			parts.Until(t, "requests come in", time.Minute, func() bool { return passed.Load() > 600 })
			longest.Store(0)
			if err := fail.off(server); err != nil {
				t.Fatal(err)
			}
			start, before, impatient := time.Now(), passed.Load(), l.Stats().Shared.Impatient
			parts.Until(t, "Redis is left alone", time.Minute, func() bool { return !l.Stats().Shared.Up })
			left := time.Since(start)
			if n := l.Stats().Shared.Impatient - impatient; n > 16 { // each of the four, and some between two round trips
				t.Errorf("%d requests waited for a Redis that does not answer", n)
			}
			parts.Until(t, "requests come in without Redis", time.Minute, func() bool { return passed.Load() > before+1000 })
			if most := 500*(time.Since(start).Seconds()+1.5) + 500; float64(passed.Load()-before) > most {
				t.Errorf("%d let in without Redis, at most %.0f", passed.Load()-before, most)
			}
			if err := fail.on(server); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			parts.Until(t, "Redis is used again", time.Minute, func() bool { return l.Stats().Shared.Up })
			t.Logf("left alone after %v, used again after %v; the longest wait was %v", left, time.Since(back), time.Duration(longest.Load()))
			parts.Until(t, "daily use is told", time.Minute, func() bool {
				keys := client(t, server.URL()).Keys(t.Context(), keyPrefix+"*").Val()
				for _, k := range keys {
					var held float64
					if text := client(t, server.URL()).HGet(t.Context(), k, "daily-requests").Val(); text != "" {
						_, _ = fmt.Sscan(text, &held)
						if used := 1e6 - held; used >= float64(passed.Load()-before)/2 {
							return true
						}
					}
				}
				return false
			})
			if n := strings.Count(log.String(), "Redis does not answer"); n != 1 {
				t.Errorf("told %d times:\n%s", n, log)
			}
			if n := strings.Count(log.String(), "through Redis again"); n != 1 {
				t.Errorf("told %d times:\n%s", n, log)
			}
		})
	}
}

func TestRedisThatIsNone(t *testing.T) {
	for name, reply := range map[string]string{
		"text": "HTTP/1.1 400 Bad Request\r\n\r\n", "number": ":1\r\n", "huge": "$2147483647\r\n", "hugeArray": "*1000000000\r\n", "numbers": "*2\r\n:1\r\n:2\r\n",
		"greedy": "*4\r\n$3\r\n1e9\r\n$1\r\n5\r\n$1\r\n5\r\n$1\r\n5\r\n", "nan": "*2\r\n$3\r\nnan\r\n$3\r\nnan\r\n", "deep": strings.Repeat("*1\r\n", 1000),
		"error": "-OOM command not allowed\r\n", "readonly": "-READONLY You can't write against a read only replica.\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var lc net.ListenConfig
			server, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			defer serving.Wait()
			defer server.Close()
			serving.Go(func() {
				for {
					conn, err := server.Accept()
					if err != nil {
						return
					}
					serving.Go(func() {
						defer conn.Close()
						b := make([]byte, 1<<16)
						for {
							if _, err := conn.Read(b); err != nil {
								return
							}
							if _, err := conn.Write([]byte(reply)); err != nil {
								return
							}
						}
					})
				}
			})
			l, _ := withPatience(t, "redis://"+server.Addr().String(), Tier{Limits: []Limit{rate(t, Requests, "3/h")}}, 0, 0)
			defer func() { _ = l.Close() }()
			for range 3 {
				in(t, l, web, 0).Leave()
			}
			out(t, l, web, "")
			parts.Until(t, "it is left alone", time.Minute, func() bool { return !l.Stats().Shared.Up })
		})
	}
}

func TestForeignKey(t *testing.T) {
	server := parts.Redis(t)
	l, _ := withRedis(t, server.URL(), Tier{Limits: []Limit{rate(t, Requests, "3/h"), daily(t, Bytes, "1MB")}})
	name := web.name(DefaultTier)
	c := client(t, server.URL())
	if err := c.RPush(t.Context(), name, "x").Err(); err != nil {
		t.Fatal(err)
	}
	in(t, l, web, 0).Leave()
	if err := c.HSet(t.Context(), name, "requests", "nan 5", "daily-bytes", "x").Err(); err != nil {
		t.Fatal(err)
	}
	in(t, l, web, 0).Leave()
	if !l.Stats().Shared.Up {
		t.Error("a foreign value turns Redis off")
	}
}

func TestRedisURL(t *testing.T) {
	for _, bad := range []string{"", "localhost:6379", "http://h", "redis://h/x", "redis://:pass#word@h", "redis://user:p%ss@h", "redis://h/-1"} {
		if err := CheckURL(bad); err == nil || strings.Contains(err.Error(), "pass#") || strings.Contains(err.Error(), "p%ss") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := CheckURL("redis://user:pw@h:1/3"); err != nil {
		t.Error(err)
	}
	if _, err := New(Config{Redis: "x"}); err == nil {
		t.Error("taken")
	}
}
