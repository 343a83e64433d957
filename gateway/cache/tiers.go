package cache

import (
	"context"
	"errors"
	"sync/atomic"
)

// tiers is memory before Redis. Either may be nil.
type tiers struct {
	near *memory
	far  *remote

	nearMisses atomic.Uint64 // looks that went past memory; the library counts a miss twice, before and in a flight
}

var _ store = (*tiers)(nil)

func (t *tiers) get(ctx context.Context, key Key) (item, bool) {
	var found item
	if t.near != nil {
		var ok bool
		if found, ok = t.near.get(ctx, key); ok {
			return found, true
		}
		t.nearMisses.Add(1)
	}
	if t.far == nil {
		return found, false
	}
	local := found.stamp.local
	found, ok := t.far.get(ctx, key)
	found.stamp.local = local
	if ok && t.near != nil {
		t.near.set(ctx, key, found) // for what is left of its life
	}
	return found, ok
}

// stamp gives the stamp of a get that finds nothing, whatever is stored.
func (t *tiers) stamp(ctx context.Context, key Key) stamp {
	var far, near item
	if t.near != nil {
		near, _ = t.near.get(ctx, key)
	}
	if t.far != nil {
		far, _ = t.far.get(ctx, key)
	}
	far.stamp.local = near.stamp.local
	return far.stamp
}

func (t *tiers) set(ctx context.Context, key Key, it item) bool {
	near := t.near != nil && t.near.set(ctx, key, it)
	far := t.far != nil && t.far.set(ctx, key, it)
	return near || far
}

// purge goes from far to near: the other way round, a look-up between the two could bring an old value back from Redis.
func (t *tiers) purge(ctx context.Context, group *[8]byte) error {
	var err error
	if t.far != nil {
		err = t.far.purge(ctx, group)
	}
	if t.near != nil {
		err = errors.Join(err, t.near.purge(ctx, group))
	}
	return err
}

func (t *tiers) close() error {
	var err error
	if t.far != nil {
		err = t.far.close()
	}
	if t.near != nil {
		err = errors.Join(err, t.near.close())
	}
	return err
}
