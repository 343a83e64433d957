package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/parts"
)

// BenchmarkRedisHit is what a hit in Redis costs; BenchmarkRedisRaw the bare GET of the same bytes.
func BenchmarkRedisHit(b *testing.B) {
	server := parts.Redis(b)
	r := testRemote(b, server.URL())
	key := keyOf(1, "a")
	it, _ := r.get(b.Context(), key)
	it.data, it.expires = make([]byte, 400), time.Now().Add(time.Hour)
	r.set(b.Context(), key, it)
	settled(b, r)()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := r.get(b.Context(), key); !ok {
				b.Error("miss")
			}
		}
	})
}

func BenchmarkRedisRaw(b *testing.B) {
	server := parts.Redis(b)
	o, err := redis.ParseURL(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	client.Set(b.Context(), "a", make([]byte, 448), 0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := client.Get(b.Context(), "a").Err(); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkMiss is the way of a computation that takes no time: with nothing behind, with memory, and with a Redis that is away.
func BenchmarkMiss(b *testing.B) {
	for name, config := range map[string]Config{"none": {}, "memory": {Memory: 64 * mib}, "away": {Memory: 64 * mib, Redis: "redis://127.0.0.1:1"}} {
		b.Run(name, func(b *testing.B) {
			c := newCache(b, config)
			if config.Redis != "" {
				parts.Until(b, "open", time.Minute, func() bool { return c.Stats().Breaker != "closed" })
			}
			var n atomic.Uint64
			value := make([]byte, 400)
			compute := func(context.Context) ([]byte, bool, error) { return value, true, nil }
			key := keyOf(1, fmt.Sprint(b.N))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					key := key
					i := n.Add(1)
					key.Sum[0], key.Sum[1], key.Sum[2], key.Sum[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
					if _, _, err := c.Do(b.Context(), key, Default, 0, compute); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
