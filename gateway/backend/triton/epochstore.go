package triton

import (
	"bytes"
	"context"
	"sync"
)

// EpochStore is where gateways that look at the same Triton agree on the epochs of its models, and where epochs outlive a
// gateway. Keys and values hold no user data. Values stay under 64 KiB up to some 400
// model versions per endpoint. A store that fails is worked around, never reported to a caller.
type EpochStore interface {
	// Load gives the value of key; nil where there is none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Swap sets key to new if it still holds old, and reports whether it did; old nil means that there is no value. The store
	// may forget a value that was not swapped for a minute or more.
	Swap(ctx context.Context, key string, old, new []byte) (bool, error)
}

var _ EpochStore = (*MemoryEpochs)(nil)

// MemoryEpochs is an EpochStore for the clients of one process.
type MemoryEpochs struct {
	mu     sync.Mutex
	values map[string][]byte
}

// NewMemoryEpochs makes an empty store.
func NewMemoryEpochs() *MemoryEpochs { return &MemoryEpochs{values: map[string][]byte{}} }

// Load gives the value of key. It never fails.
func (m *MemoryEpochs) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.values[key]), nil
}

// Swap compares and swaps. It never fails.
func (m *MemoryEpochs) Swap(_ context.Context, key string, old, new []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, found := m.values[key]
	if found != (old != nil) || !bytes.Equal(have, old) {
		return false, nil
	}
	m.values[key] = bytes.Clone(new)
	return true, nil
}
