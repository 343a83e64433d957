// Package cache keeps finished answers and raw tensors by the digest of everything that decides them, so that nothing is
// computed twice: in memory, in Redis, or both, and never twice at the same time.
package cache

import (
	"context"
	"time"
)

// Key is a digest of everything that decides a value. It holds no user data.
type Key struct {
	Group [8]byte  // what a purge names: the head of a digest of tenant and model
	Sum   [32]byte // SHA-256
}

// Mode is what a caller asks of the cache.
type Mode uint8

// The modes, by their Cache-Control names.
const (
	Default Mode = iota // read and store
	NoCache             // do not read, store what is computed
	NoStore             // neither read nor store
)

// Outcome says where a value came from.
type Outcome struct {
	Hit    bool
	Detail string // where from: memory, redis or shared (another caller's flight); "" on a miss
	Stored bool   // the computed value was stored
}

// Compute makes a value. ctx is the flight's own: it ends when every waiter has left or the flight's deadline has passed.
// store is false for a value that must not be kept.
type Compute func(ctx context.Context) (value []byte, store bool, err error)

// Cache is what the pipeline uses.
type Cache interface {
	// Do gives the value of key, from the cache or by one call of compute shared among all who ask at the same time.
	// ttl 0 means the cache's default. Errors are compute's own, ctx's end, or a panic of compute as an error; the cache's own failures never surface.
	Do(ctx context.Context, key Key, mode Mode, ttl time.Duration, compute Compute) ([]byte, Outcome, error)
	// Get looks without computing.
	Get(ctx context.Context, key Key) ([]byte, Outcome, bool)
	// Purge drops all entries of a group, or everything where group is nil, in every tier and on every gateway that shares the Redis.
	Purge(ctx context.Context, group *[8]byte) error
	// Close ends background work.
	Close() error
}
