package cache

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/parts"
)

// settled waits until nothing waits to be written.
func settled(tb testing.TB, r *remote) func() {
	return func() {
		parts.Until(tb, "written", time.Minute, func() bool { return r.writer.pending.Load() == 0 })
	}
}

// direct is a client that goes past the cache.
func direct(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	client := redis.NewClient(o)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func testRemote(tb testing.TB, url string) *remote {
	tb.Helper()
	return newCache(tb, Config{Redis: url}).remote // the machine of the test may be busy
}

func TestRedisConforms(t *testing.T) {
	r := testRemote(t, parts.Redis(t).URL())
	conform(t, r, settled(t, r))
}

func TestTiersConform(t *testing.T) {
	c := newCache(t, Config{Memory: 4 * mib, Redis: parts.Redis(t).URL()})
	conform(t, c.tiers, settled(t, c.remote))
}

func TestNamesHoldDigestsOnly(t *testing.T) {
	server := parts.Redis(t)
	c := newCache(t, Config{Redis: server.URL()})
	key, group := keyOf(1, "someone's picture"), groupOf(2)
	var calls atomic.Int32
	_, out, err := c.Do(t.Context(), key, Default, time.Minute, counted(&calls, "v"))
	if err != nil || !out.Stored {
		t.Fatal(out, err)
	}
	if err := c.Purge(t.Context(), &group); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Records().Swap(t.Context(), "tenant/model", nil, []byte("1")); err != nil {
		t.Fatal(err)
	}
	settled(t, c.remote)()
	client := direct(t, server.URL())
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		fmt.Sprintf("tg:1:%x:%x", key.Group, key.Sum): true, fmt.Sprintf("tg:purge:%x", group): true,
		"tg:purges": true, recordName("tenant/model"): true,
	}
	for _, name := range names {
		if !want[name] {
			t.Errorf("unexpected name %q", name)
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
	if left := client.PTTL(t.Context(), entryName(key)).Val(); left < 50*time.Second || left > 66*time.Second {
		t.Errorf("%v left of a minute", left)
	}
	if left := client.TTL(t.Context(), recordName("tenant/model")).Val(); left != -1 {
		t.Errorf("the record expires in %v", left)
	}
}

// TestBadValuesAreMisses: whatever lies under a key's name, the caller gets the computed answer, and it replaces what was there.
func TestBadValuesAreMisses(t *testing.T) {
	server := parts.Redis(t)
	c, client, ctx := newCache(t, Config{Redis: server.URL(), RedisValue: 100_000}), direct(t, server.URL()), t.Context()
	key := keyOf(1, "a")
	name := entryName(key)
	good := string(seal(nil, key, item{data: []byte("planted"), expires: time.Now().Add(time.Hour)}, time.Now()))
	set := func(value string) func() error {
		return func() error { return client.Set(ctx, name, value, 0).Err() }
	}
	for what, plant := range map[string]func() error{
		"garbage":           set("hello"),
		"empty":             set(""),
		"cut short":         set(good[:len(good)-1]),
		"one byte more":     set(good + "x"),
		"one bit different": set(good[:50] + string(good[50]^1) + good[51:]),
		"another key's":     set(string(seal(nil, keyOf(1, "b"), item{data: []byte("b"), expires: time.Now().Add(time.Hour)}, time.Now()))),
		"expired":           set(string(seal(nil, key, item{data: []byte("old"), expires: time.Now().Add(-time.Second)}, time.Now().Add(-time.Hour)))),
		"50 MB":             set(strings.Repeat("x", 50_000_000)),
		"a list":            func() error { return client.RPush(ctx, name, "x").Err() },
		"before a purge": func() error {
			return client.Set(ctx, name, seal(nil, key, item{data: []byte("old"), expires: time.Now().Add(time.Hour), stamp: stamp{group: [8]byte{1}}}, time.Now()), 0).Err()
		},
	} {
		if err := client.Del(ctx, name).Err(); err != nil {
			t.Fatal(err)
		}
		if err := plant(); err != nil {
			t.Fatal(what, err)
		}
		var calls atomic.Int32
		value, out, err := c.Do(ctx, key, Default, 0, counted(&calls, "right"))
		if string(value) != "right" || out != (Outcome{Stored: true}) || err != nil || calls.Load() != 1 {
			t.Errorf("%s: %q, %+v, %v", what, value, out, err)
		}
		settled(t, c.remote)()
		if value, out, _ := c.Get(ctx, key); string(value) != "right" || out.Detail != "redis" {
			t.Errorf("%s is not replaced: %q, %+v", what, value, out)
		}
	}
	if s := c.Stats(); s.Breaker != "closed" || s.Redis.Errors != 0 || s.Corrupt != 7 {
		t.Errorf("%+v", s)
	}
}

func TestTooLargeForRedis(t *testing.T) {
	c := newCache(t, Config{Memory: mib, Redis: parts.Redis(t).URL(), RedisValue: 1000})
	for size, tier := range map[int]string{1000: "redis", 1001: ""} {
		key := keyOf(1, fmt.Sprint(size))
		_, out, err := c.Do(t.Context(), key, Default, 0, func(context.Context) ([]byte, bool, error) { return make([]byte, size), true, nil })
		if !out.Stored || err != nil {
			t.Errorf("%d: %+v, %v", size, out, err)
		}
		settled(t, c.remote)()
		if it, _ := c.remote.get(t.Context(), key); it.tier != tier {
			t.Errorf("%d: found in %q", size, it.tier)
		}
	}
}

func TestSharedAndSurvivesARestart(t *testing.T) {
	server := parts.Redis(t)
	config := Config{Memory: mib, Redis: server.URL()}
	key := keyOf(1, "a")
	var calls atomic.Int32
	first, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := first.Do(t.Context(), key, Default, 0, counted(&calls, "v")); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil { // sends what waits
		t.Fatal(err)
	}
	second := newCache(t, config)
	for _, want := range []string{"redis", "memory"} { // once from Redis, then from this gateway's own memory
		value, out, err := second.Do(t.Context(), key, Default, 0, counted(&calls, "other"))
		if string(value) != "v" || out != (Outcome{Hit: true, Detail: want}) || err != nil {
			t.Errorf("%q, %+v, %v", value, out, err)
		}
	}
	if s := second.Stats(); s.Redis.Hits != 1 || s.Memory.Hits != 1 || s.Memory.Misses != 1 || s.Memory.Entries != 1 || s.Computed != 0 {
		t.Errorf("%+v", s)
	}
	if it, _ := second.memory.get(t.Context(), key); time.Until(it.expires) > 66*time.Minute || time.Until(it.expires) < 53*time.Minute {
		t.Errorf("memory keeps it for %v", time.Until(it.expires))
	}
}

func TestConnections(t *testing.T) {
	for name, options := range map[string][]parts.RedisOption{
		"password": {parts.WithPassword("p@ss/wo:rd?#")}, "TLS": {parts.WithTLS(), parts.WithPassword("x")}, "socket": {parts.WithUnixSocket()},
	} {
		t.Run(name, func(t *testing.T) {
			server := parts.Redis(t, options...)
			config := Config{Redis: server.URL(), RedisCA: server.CAFile}
			c := newCache(t, config)
			var calls atomic.Int32
			if _, out, err := c.Do(t.Context(), keyOf(1, "a"), Default, 0, counted(&calls, "v")); !out.Stored || err != nil {
				t.Fatal(out, err)
			}
			settled(t, c.remote)()
			if _, out, _ := c.Get(t.Context(), keyOf(1, "a")); out.Detail != "redis" {
				t.Errorf("%+v", out)
			}
		})
	}
}
