package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// TestWriteQueueIsBounded: behind a Redis that hangs, values and bytes are dropped and counted, and closing does not wait for it.
func TestWriteQueueIsBounded(t *testing.T) {
	server := parts.Redis(t)
	for name, size := range map[string]int{"values": 1, "bytes": 8 * mib} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, Config{Redis: server.URL(), RedisTimeout: 3 * time.Second, RedisDial: 3 * time.Second}) // the queue is filled sooner
			r := c.remote
			now, _ := r.get(t.Context(), keyOf(1, "a"))
			if err := server.Pause(); err != nil {
				t.Fatal(err)
			}
			data := make([]byte, size)
			taken := 0
			for i := range 2 * writeQueue {
				if r.set(t.Context(), keyOf(1, fmt.Sprint(i)), item{data: data, expires: time.Now().Add(time.Hour), stamp: now.stamp}) {
					taken++
				}
			}
			bound := min(writeQueue+writers, writeBytes/size)
			if s := c.Stats(); taken > bound || taken == 0 || s.Redis.Drops < uint64(2*writeQueue-bound) || r.writer.bytes.Load() > writeBytes {
				t.Errorf("%d taken, at most %d may be; %+v", taken, bound, s)
			}
			parts.Until(t, "no write waits", time.Minute, func() bool { return r.writer.pending.Load() == 0 }) // they fail, and the rest is dropped
			if r.writer.bytes.Load() != 0 || c.Stats().WriteBreaker == "closed" {
				t.Errorf("%d bytes; %+v", r.writer.bytes.Load(), c.Stats())
			}
			if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNothingIsWrittenAfterClose(t *testing.T) {
	c := newCache(t, Config{Memory: mib, Redis: parts.Redis(t).URL()})
	now, _ := c.remote.get(t.Context(), keyOf(1, "a"))
	c.remote.writer.closing.Store(true)
	if c.remote.set(t.Context(), keyOf(1, "a"), item{expires: time.Now().Add(time.Hour), stamp: now.stamp}) {
		t.Error("taken")
	}
}

// TestThousandCallers: one computation, whatever lies behind.
func TestThousandCallers(t *testing.T) {
	server := parts.Redis(t)
	for name, config := range map[string]Config{
		"nothing": {}, "memory": {Memory: mib}, "redis": {Redis: server.URL()}, "both": {Memory: mib, Redis: server.URL()},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, config)
			var calls, hits atomic.Int32
			arrived := make(chan struct{}, 1000)
			all := sync.WaitGroup{}
			for range 1000 {
				all.Go(func() {
					arrived <- struct{}{}
					value, out, err := c.Do(t.Context(), keyOf(1, name), Default, 0, func(context.Context) ([]byte, bool, error) {
						calls.Add(1)
						parts.Until(t, "all have arrived", time.Minute, func() bool { return len(arrived) == 1000 })
						return []byte("v"), true, nil
					})
					if out.Hit {
						hits.Add(1)
					}
					if string(value) != "v" || err != nil {
						t.Errorf("%q, %v", value, err)
					}
				})
			}
			all.Wait()
			// Who has arrived but not yet asked when the flight ends finds the value stored - where there is a store that has it by then.
			if stored := name == "memory" || name == "both"; stored && (calls.Load() != 1 || hits.Load() != 999) {
				t.Errorf("%d computations, %d hits", calls.Load(), hits.Load())
			}
			if calls.Load()+hits.Load() != 1000 {
				t.Errorf("%d computations, %d hits", calls.Load(), hits.Load())
			}
		})
	}
}
