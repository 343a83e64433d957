package cache

import (
	"context"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

const (
	inMemory = "memory"

	// entryOverhead is what an entry costs beside its value: node, key, slot in the table. Measured, see TestMemoryOverhead.
	entryOverhead = 208
	// largestShare of the memory is what one value may take.
	largestShare = 4
	// slack is how much of a value's capacity may lie unused before it is copied to its exact size.
	slack = 8

	purgeSlots = 256
)

// memory is the tier in this process.
type memory struct {
	entries *otter.Cache[Key, held]
	counter *stats.Counter
	largest int

	// mu makes "is the stamp the present one? then store" one step against a purge, so that nothing old is stored after it.
	mu     sync.RWMutex
	purges [purgeSlots]uint64 // by slotOf(group). Two groups in a slot only cost each other a computation's result, never its correctness
}

type held struct {
	data    []byte
	expires int64 // Unix time in nanoseconds
}

var _ store = (*memory)(nil)

// newMemory makes a tier of so many bytes.
func newMemory(bytes int64) (*memory, error) {
	m := &memory{counter: stats.NewCounter(), largest: int(min(bytes/largestShare, math.MaxUint32/2))}
	life := func(entry otter.Entry[Key, held]) time.Duration { return time.Until(time.Unix(0, entry.Value.expires)) }
	entries, err := otter.New(&otter.Options[Key, held]{
		MaximumWeight:    uint64(bytes),
		Weigher:          func(_ Key, value held) uint32 { return uint32(cap(value.data) + entryOverhead) },
		ExpiryCalculator: otter.ExpiryWritingFunc(life),
		StatsRecorder:    m.counter,
	})
	if err != nil {
		return nil, err
	}
	m.entries = entries
	return m, nil
}

// load is get without a stamp: the way of a hit, which allocates nothing.
func (m *memory) load(key Key) ([]byte, bool) {
	value, ok := m.entries.GetIfPresent(key)
	return value.data, ok
}

func (m *memory) get(_ context.Context, key Key) (item, bool) {
	m.mu.RLock()
	it := item{tier: inMemory, stamp: stamp{local: m.purges[slotOf(key.Group)]}}
	m.mu.RUnlock()
	value, ok := m.entries.GetIfPresent(key)
	it.data, it.expires = value.data, time.Unix(0, value.expires)
	return it, ok
}

func (m *memory) set(_ context.Context, key Key, it item) bool {
	if len(it.data) > m.largest || time.Until(it.expires) <= 0 {
		return false
	}
	data := it.data
	if unused := cap(data) - len(data); unused > len(data)/slack {
		data = append(make([]byte, 0, len(data)), data...)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.purges[slotOf(key.Group)] != it.stamp.local {
		return false
	}
	m.entries.Set(key, held{data, it.expires.UnixNano()})
	return true
}

func (m *memory) purge(_ context.Context, group *[8]byte) error {
	m.mu.Lock()
	for slot := range m.purges {
		if group == nil || slot == slotOf(*group) {
			m.purges[slot]++
		}
	}
	m.mu.Unlock()
	if group == nil {
		m.entries.InvalidateAll()
		return nil
	}
	for key := range m.entries.Keys() {
		if key.Group == *group {
			m.entries.Invalidate(key)
		}
	}
	return nil
}

// close may be called on nil.
func (m *memory) close() error {
	if m == nil {
		return nil
	}
	m.entries.StopAllGoroutines()
	return nil
}

func slotOf(group [8]byte) int {
	return int(binary.LittleEndian.Uint64(group[:]) % purgeSlots)
}
