package cache

import (
	"context"
	"time"
)

// store is one tier, or several behind each other. Its own failures are misses: it counts and logs them, and never returns them
// where a value is asked for. One conformance suite holds for all implementations.
type store interface {
	// get looks a key up. The item has its stamp in both cases; the caller hands the stamp of a miss back to set.
	get(ctx context.Context, key Key) (item, bool)
	// set keeps an item until it expires and reports whether it will. It refuses what is expired, too large or stamped before a purge.
	set(ctx context.Context, key Key, it item) bool
	// purge drops a group, or all for nil. When it returns, nothing that was stored before, or computed from before, is found here.
	purge(ctx context.Context, group *[8]byte) error
	close() error
}

// item is a value on its way in or out. data is shared by all readers and never changed.
type item struct {
	data    []byte
	tier    string // the tier that had it, as in Outcome.Detail
	expires time.Time
	stamp   stamp
}

// stamp says which purges had happened before a value was looked up and then computed. A store refuses a value whose stamp is no
// longer the present one: a purge came between, and the value may come from what the purge was to remove.
type stamp struct {
	local  uint64  // purges of this process; see memory
	group  [8]byte // the group's purge token in Redis; zero: never purged
	all    [8]byte // the token of purges of everything
	remote bool    // the tokens are known: Redis answered
}
