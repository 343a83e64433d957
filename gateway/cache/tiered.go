package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Tiered is the cache: memory before Redis, either, or neither, with the flights in front. Safe for concurrent use.
type Tiered struct {
	config  Config
	tiers   *tiers
	memory  *memory // nil: none
	remote  *remote // nil: none
	flights *flights
	records Records

	computed atomic.Uint64
}

var _ Cache = (*Tiered)(nil)

// New sets a cache up. Redis need not be there: it is connected to in the background, and done without while it is away. An error is
// a fault of the configuration and never shows the password of the URL.
func New(config Config, log *slog.Logger) (*Tiered, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Tiered{config: config, flights: newFlights(config.FlightTimeout, log)}
	if config.Memory > 0 {
		if t.memory, err = newMemory(config.Memory); err != nil {
			return nil, fmt.Errorf("cache.memory: %w", err)
		}
	}
	if config.Redis != "" {
		forget := func(group *[8]byte) {
			if t.memory != nil {
				_ = t.memory.purge(context.Background(), group)
			}
		}
		if t.remote, err = newRemote(config, log, forget); err != nil {
			return nil, errors.Join(fmt.Errorf("cache.redis: %w", err), t.memory.close())
		}
	}
	t.tiers = &tiers{near: t.memory, far: t.remote}
	t.records.remote = t.remote
	return t, nil
}

// Get looks in memory, then in Redis, without computing or waiting for a computation.
func (t *Tiered) Get(ctx context.Context, key Key) ([]byte, Outcome, bool) {
	found, ok := t.tiers.get(ctx, key)
	if !ok {
		return nil, Outcome{}, false
	}
	return found.data, Outcome{Hit: true, Detail: found.tier}, true
}

// Purge drops a group, or everything, here at once, in Redis at once, and in the memory of the other gateways as soon as they hear of
// it: within a round trip while they are connected, and before their next look at Redis otherwise. What is being computed is not
// stored. On an error, Redis was not reached: only this gateway's memory is purged, and the call has to be repeated.
func (t *Tiered) Purge(ctx context.Context, group *[8]byte) error {
	return t.tiers.purge(ctx, group)
}

// Close sends what waits to be written to Redis, for a second at most, and ends the background work. Do still computes afterwards.
func (t *Tiered) Close() error {
	return t.tiers.close()
}
