package auth

import (
	"crypto/sha256"
	"sync"

	"triton-gateway/internal/caller"
)

// mostSeen is how many tokens are remembered in each of two generations; to check one again costs some 50 us.
const mostSeen = 4096

// verdicts remembers whose tokens were, by their digests, so that a signature is checked once. Only good ones are remembered. The zero value is ready.
type verdicts struct {
	mu     sync.RWMutex
	young  map[[sha256.Size]byte]*caller.Caller
	old    map[[sha256.Size]byte]*caller.Caller
	rounds uint64 // how often all was forgotten
}

// get gives the caller of a token that was checked, nil where that is not known.
func (v *verdicts) get(sum *[sha256.Size]byte) *caller.Caller {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if c := v.young[*sum]; c != nil {
		return c
	}
	return v.old[*sum]
}

// round tells how often all was forgotten; see put.
func (v *verdicts) round() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.rounds
}

// put remembers a token, unless all was forgotten since round: it may have been checked by a key that has been taken back.
func (v *verdicts) put(sum *[sha256.Size]byte, c *caller.Caller, round uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rounds != round {
		return
	}
	if v.young == nil || len(v.young) >= mostSeen {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]*caller.Caller)
	}
	v.young[*sum] = c
}

// forget is for when the keys of signatures are others.
func (v *verdicts) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.young, v.old = nil, nil
	v.rounds++
}
