package cache

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maypok86/otter/v2"
)

func testMemory(tb testing.TB, bytes int64) *memory {
	tb.Helper()
	m, err := newMemory(bytes)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.close() })
	return m
}

func fill(m *memory, name string, data []byte, life time.Duration) bool {
	return m.set(context.Background(), keyOf(1, name), item{data: data, expires: time.Now().Add(life)})
}

func TestMemoryConforms(t *testing.T) { conform(t, testMemory(t, 4*mib), func() {}) }

func TestMemoryExpiresOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newMemory(mib)
		if err != nil {
			t.Fatal(err)
		}
		defer m.close()
		fill(m, "a", []byte("x"), time.Minute)
		time.Sleep(time.Minute - 1) // the bubble's clock
		if _, ok := m.load(keyOf(1, "a")); !ok {
			t.Error("gone before its time")
		}
		time.Sleep(1)
		if _, ok := m.load(keyOf(1, "a")); ok {
			t.Error("there after its time")
		}
	})
}

func TestMemoryStaysInItsBytes(t *testing.T) {
	m := testMemory(t, mib)
	for i := range 10_000 {
		fill(m, fmt.Sprint(i), make([]byte, 1000), time.Hour)
	}
	m.entries.CleanUp()
	if weight, n := m.entries.WeightedSize(), m.entries.EstimatedSize(); weight > mib || n > mib/(1000+entryOverhead) || n < 500 {
		t.Errorf("%d bytes in %d entries", weight, n)
	}
}

func TestMemoryRefusesTooLarge(t *testing.T) {
	m := testMemory(t, mib)
	if fill(m, "large", make([]byte, mib/largestShare+1), time.Hour) {
		t.Error("kept more than its share")
	}
	if !fill(m, "share", make([]byte, mib/largestShare), time.Hour) {
		t.Error("refused its share")
	}
}

func TestMemoryPinsNoUnusedCapacity(t *testing.T) {
	m := testMemory(t, mib)
	fill(m, "a", make([]byte, 100, 100_000), time.Hour)
	if value, _ := m.load(keyOf(1, "a")); len(value) != 100 || cap(value) > 128 {
		t.Errorf("length %d, capacity %d", len(value), cap(value))
	}
}

// TestMemoryOverhead holds entryOverhead against what an entry really costs.
func TestMemoryOverhead(t *testing.T) {
	const n = 50_000
	m := testMemory(t, 1<<30)
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = keyOf(byte(i), fmt.Sprint(i))
	}
	heap := func() int64 {
		m.entries.CleanUp()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	for _, key := range keys {
		m.set(context.Background(), key, item{expires: time.Now().Add(time.Hour)})
	}
	each := (heap() - before) / n
	runtime.KeepAlive(keys)
	t.Logf("%d bytes an entry", each)
	if each > entryOverhead || each < entryOverhead/2 {
		t.Errorf("an entry costs %d bytes beside its value; entryOverhead says %d", each, entryOverhead)
	}
}

func TestMemoryHitAllocatesNothing(t *testing.T) {
	c := newCache(t, Config{Memory: mib})
	key := keyOf(1, "a")
	compute := func(context.Context) ([]byte, bool, error) { return []byte("x"), true, nil }
	if _, _, err := c.Do(t.Context(), key, Default, 0, compute); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _, _ = c.Do(ctx, key, Default, 0, compute) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The two benchmarks are to be compared: a hit through Do, and the bare library with the same settings.
func BenchmarkHit(b *testing.B) {
	c := newCache(b, Config{Memory: 64 * mib})
	keys := benchmarkKeys()
	for _, key := range keys {
		c.memory.set(context.Background(), key, item{data: make([]byte, 400), expires: time.Now().Add(time.Hour)})
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, out, _ := c.Do(ctx, keys[i%len(keys)], Default, 0, nil); !out.Hit {
				b.Error("miss")
			}
		}
	})
}

func BenchmarkHitRaw(b *testing.B) {
	raw := otter.Must(&otter.Options[Key, []byte]{
		MaximumWeight:    64 * mib,
		Weigher:          func(_ Key, value []byte) uint32 { return uint32(len(value) + entryOverhead) },
		ExpiryCalculator: otter.ExpiryWriting[Key, []byte](time.Hour),
	})
	defer raw.StopAllGoroutines()
	keys := benchmarkKeys()
	for _, key := range keys {
		raw.Set(key, make([]byte, 400))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := raw.GetIfPresent(keys[i%len(keys)]); !ok {
				b.Error("miss")
			}
		}
	})
}

func benchmarkKeys() []Key {
	keys := make([]Key, 10_000)
	for i := range keys {
		keys[i] = keyOf(1, fmt.Sprint(i))
	}
	return keys
}
