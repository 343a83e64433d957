package cache

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/parts"
)

// pair is two gateways with one Redis; the way of the second can be cut.
type pair struct {
	a, b   *Tiered
	way    *proxy
	client *redis.Client
}

func newPair(t *testing.T) pair {
	server := parts.Redis(t)
	way := newProxy(t, server.Addr)
	config := Config{Memory: mib, Redis: server.URL()}
	p := pair{way: way, client: direct(t, server.URL())}
	p.a = newCache(t, config)
	config.Redis = "redis://" + way.addr
	p.b = newCache(t, config)
	// Both listen once their connections wait for the stream.
	parts.Until(t, "both listen", time.Minute, func() bool { return p.listening(t) == 2 })
	return p
}

func (p pair) listening(t *testing.T) int {
	n, err := p.client.Do(t.Context(), "CLIENT", "LIST").Text()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(n, "cmd=xread")
}

// hold puts a value into Redis and into the memory of both.
func (p pair) hold(t *testing.T, key Key, value string) {
	t.Helper()
	if _, _, err := p.a.Do(t.Context(), key, Default, 0, func(context.Context) ([]byte, bool, error) { return []byte(value), true, nil }); err != nil {
		t.Fatal(err)
	}
	settled(t, p.a.remote)()
	if got, out, ok := p.b.Get(t.Context(), key); !ok || string(got) != value || out.Detail != "redis" {
		t.Fatalf("b: %q, %+v", got, out)
	}
	if _, ok := p.b.memory.load(key); !ok {
		t.Fatal("not in b's memory")
	}
}

func TestPurgeReachesTheOtherGateway(t *testing.T) {
	p := newPair(t)
	gone, stays, group := keyOf(1, "a"), keyOf(2, "a"), groupOf(1)
	p.hold(t, gone, "x")
	p.hold(t, stays, "y")
	if err := p.a.Purge(t.Context(), &group); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := p.a.Get(t.Context(), gone); ok {
		t.Error("a still has it")
	}
	parts.Until(t, "b has dropped it", time.Minute, func() bool { _, _, ok := p.b.Get(t.Context(), gone); return !ok })
	if _, ok := p.b.memory.load(stays); !ok {
		t.Error("b dropped another group")
	}
	parts.Until(t, "its space is free", time.Minute, func() bool { return p.client.Exists(t.Context(), entryName(gone)).Val() == 0 })
	if p.client.Exists(t.Context(), entryName(stays)).Val() != 1 {
		t.Error("another group's value is deleted")
	}
	p.hold(t, gone, "new") // and it can be stored again

	if err := p.b.Purge(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "a has dropped all", time.Minute, func() bool { return p.a.Stats().Memory.Entries == 0 })
	parts.Until(t, "all space is free", time.Minute, func() bool {
		names := p.client.Keys(t.Context(), entryPrefix+"*").Val()
		return len(names) == 0
	})
}

func TestPurgeWhileCutOff(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, pair){
		"the stream has it":  func(*testing.T, pair) {},
		"the stream is lost": func(t *testing.T, p pair) { p.client.Del(t.Context(), purgeStream) },
		"the stream is cut": func(t *testing.T, p pair) {
			p.client.XTrimMaxLen(t.Context(), purgeStream, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			gone, stays, group := keyOf(1, "a"), keyOf(2, "a"), groupOf(1)
			p.hold(t, gone, "x")
			p.hold(t, stays, "y")
			p.way.cut()
			if err := p.a.Purge(t.Context(), &group); err != nil {
				t.Fatal(err)
			}
			lose(t, p)
			if _, ok := p.b.memory.load(gone); !ok {
				t.Fatal("b cannot know yet")
			}
			p.way.mend(t)
			parts.Until(t, "b has dropped it", time.Minute, func() bool { _, ok := p.b.memory.load(gone); return !ok })
			if _, ok := p.b.memory.load(stays); ok != (name == "the stream has it") {
				t.Errorf("the other group in memory: %v", ok)
			}
		})
	}
}

// TestPurgeElsewhereDuringAComputation: b computes from before a's purge; neither may see it afterwards, whether b has heard or not.
func TestPurgeElsewhereDuringAComputation(t *testing.T) {
	for _, heard := range []bool{false, true} {
		t.Run(fmt.Sprint("heard ", heard), func(t *testing.T) {
			p := newPair(t)
			key, group := keyOf(1, "a"), groupOf(1)
			if !heard {
				p.b.remote.stop() // its listener ends
				p.b.remote.workers.Wait()
			}
			before := p.b.memory.purges[slotOf(group)]
			value, _, err := p.b.Do(t.Context(), key, Default, 0, func(ctx context.Context) ([]byte, bool, error) {
				err := p.a.Purge(ctx, &group)
				if heard {
					parts.Until(t, "b has heard", time.Minute, func() bool {
						p.b.memory.mu.RLock()
						defer p.b.memory.mu.RUnlock()
						return p.b.memory.purges[slotOf(group)] != before
					})
				}
				return []byte("old"), true, err
			})
			if string(value) != "old" || err != nil {
				t.Fatalf("%q, %v", value, err)
			}
			settled(t, p.b.remote)()
			if value, _, ok := p.a.Get(t.Context(), key); ok {
				t.Errorf("a got %q", value)
			}
			if value, ok := p.b.remote.get(t.Context(), key); ok {
				t.Errorf("b got %q", value.data)
			}
			if _, ok := p.b.memory.load(key); ok && heard {
				t.Error("in b's memory")
			}
		})
	}
}

// TestLateGatewayKeepsItsMemory: a gateway that begins to listen drops what it has only where something was purged since it began.
func TestLateGatewayKeepsItsMemory(t *testing.T) {
	for _, purged := range []bool{false, true} {
		server := parts.Redis(t)
		way := newProxy(t, server.Addr)
		way.cut()
		late, err := New(Config{Memory: mib, Redis: "redis://" + way.addr, RedisTimeout: time.Minute, RedisDial: time.Minute}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		key := keyOf(1, "a")
		if _, _, err := late.Do(t.Context(), key, Default, 0, func(context.Context) ([]byte, bool, error) { return []byte("x"), true, nil }); err != nil {
			t.Fatal(err)
		}
		if purged {
			group := groupOf(2)
			if err := newCache(t, Config{Redis: server.URL()}).Purge(t.Context(), &group); err != nil {
				t.Fatal(err)
			}
		}
		way.mend(t)
		client := direct(t, server.URL())
		listeners := 1
		if purged {
			listeners = 2
		}
		parts.Until(t, "it listens", time.Minute, func() bool { return strings.Count(client.ClientList(t.Context()).Val(), "cmd=xread") == listeners })
		if _, ok := late.memory.load(key); ok == purged {
			t.Errorf("purged %v: in memory %v", purged, ok)
		}
		if err := late.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestForeignPurgeMessages(t *testing.T) {
	p := newPair(t)
	key := keyOf(1, "a")
	p.hold(t, key, "x")
	for _, values := range []map[string]any{{"x": "y"}, {"group": "zz"}, {"group": "00"}, {"group": ""}, {"from": p.b.remote.id, "group": "all"}} {
		if err := p.client.XAdd(t.Context(), &redis.XAddArgs{Stream: purgeStream, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	other := keyOf(2, "a")
	p.hold(t, other, "y")
	second := groupOf(2)
	if err := p.a.Purge(t.Context(), &second); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "b has read so far", time.Minute, func() bool { _, ok := p.b.memory.load(other); return !ok })
	if _, ok := p.b.memory.load(key); !ok {
		t.Error("a message that is no purge of another gateway purged")
	}
}

// TestStoresAgainAfterAPurge: the stamp of a look-up is that of both tiers, and the sweep leaves alone what is new.
func TestStoresAgainAfterAPurge(t *testing.T) {
	p := newPair(t)
	group := groupOf(1)
	for i, mode := range []Mode{Default, NoCache, NoCache} { // the second of these finds a value
		old, key := keyOf(1, fmt.Sprint("old", i)), keyOf(1, fmt.Sprint("new", i/2))
		store := func(key Key, mode Mode) {
			t.Helper()
			_, out, err := p.a.Do(t.Context(), key, mode, 0, func(context.Context) ([]byte, bool, error) { return []byte("x"), true, nil })
			if !out.Stored || err != nil {
				t.Fatal(out, err)
			}
			settled(t, p.a.remote)()
		}
		store(old, Default)
		names := &group
		if i == 1 {
			names = nil
		}
		if err := p.a.Purge(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		store(key, mode)
		parts.Until(t, "swept", time.Minute, func() bool { return p.client.Exists(t.Context(), entryName(old)).Val() == 0 })
		_, near := p.a.memory.load(key)
		if _, far := p.a.remote.get(t.Context(), key); !near || !far {
			t.Errorf("step %d: in memory %v, in Redis %v", i, near, far)
		}
	}
}

func TestSweepTakesForeignValues(t *testing.T) {
	p := newPair(t)
	group := groupOf(1)
	list, stub := entryName(keyOf(1, "list")), entryName(keyOf(1, "stub"))
	p.client.RPush(t.Context(), list, "x")
	p.client.Set(t.Context(), stub, "x", 0)
	if err := p.a.Purge(t.Context(), &group); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "swept", time.Minute, func() bool { return p.client.Exists(t.Context(), list, stub).Val() == 0 })
}
