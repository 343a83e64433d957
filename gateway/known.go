package gateway

import (
	"maps"
	"sync"
	"sync/atomic"
)

// known has the series that have been seen, by few keys: looking for one by the texts of its labels takes several times as long. The zero value is
// ready.
type known[K comparable, V any] struct {
	mu   sync.Mutex // held to add
	seen atomic.Pointer[map[K]V]
}

// get costs no lock and no allocation.
func (k *known[K, V]) get(key K) (V, bool) {
	seen := k.seen.Load()
	if seen == nil {
		var none V
		return none, false
	}
	v, ok := (*seen)[key]
	return v, ok
}

func (k *known[K, V]) add(key K, v V) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[K]V{}
	if seen := k.seen.Load(); seen != nil {
		maps.Copy(next, *seen)
	}
	next[key] = v
	k.seen.Store(&next)
}
