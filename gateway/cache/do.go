package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// Do gives the value of key; see [Cache]. The value is shared by everybody who asks: nobody may change it, compute's caller included.
//
// NoCache means "no answer from before I asked": the caller starts a computation of its own, even where one is running. Default callers
// may join that one. NoStore is alone: it neither reads nor stores, joins nobody and is joined by nobody. All three run compute on a
// context of its own with the deadline Config.FlightTimeout, on a goroutine of its own, so that a panic ends no caller.
func (t *Tiered) Do(ctx context.Context, key Key, mode Mode, ttl time.Duration, compute Compute) ([]byte, Outcome, error) {
	if mode == Default && t.memory != nil {
		if value, ok := t.memory.load(key); ok {
			return value, Outcome{Hit: true, Detail: inMemory}, nil
		}
	}
	return t.fly(ctx, key, mode, ttl, compute)
}

func (t *Tiered) fly(ctx context.Context, key Key, mode Mode, ttl time.Duration, compute Compute) ([]byte, Outcome, error) {
	how := private
	switch mode {
	case Default:
		how = share
	case NoCache:
		how = lead
	}
	return t.flights.do(ctx, key, how, func(ctx context.Context) ([]byte, Outcome, error) {
		return t.run(ctx, key, mode, ttl, compute)
	})
}

// run is one flight: look again, since an earlier flight may have ended after the first look, and compute.
func (t *Tiered) run(ctx context.Context, key Key, mode Mode, ttl time.Duration, compute Compute) ([]byte, Outcome, error) {
	var found item
	switch mode {
	case Default:
		var ok bool
		if found, ok = t.tiers.get(ctx, key); ok {
			return found.data, Outcome{Hit: true, Detail: found.tier}, nil
		}
	case NoCache:
		found.stamp = t.tiers.stamp(ctx, key)
	}
	t.computed.Add(1)
	value, keep, err := compute(ctx)
	if err != nil {
		return nil, Outcome{}, err
	}
	out := Outcome{}
	if keep && mode != NoStore {
		out.Stored = t.tiers.set(ctx, key, item{data: value, expires: time.Now().Add(t.life(ttl)), stamp: found.stamp})
	}
	return value, out, nil
}

// life is a ttl, give or take a tenth.
func (t *Tiered) life(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		ttl = t.config.TTL
	}
	ttl = min(ttl, maxLife-maxLife/jitter)
	return ttl - ttl/jitter + rand.N(2*(ttl/jitter)+1)
}
