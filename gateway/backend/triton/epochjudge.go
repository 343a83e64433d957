package triton

import (
	"fmt"
	"time"
)

// Which load of a model answers? Triton does not say, so it is inferred. Counters of ModelStatistics start at zero with every load and
// only grow. An epoch is kept only while what is seen now can be what was seen before, grown by calls that are accounted for; in doubt a
// new one begins, which costs some cache hits, where a wrongly kept one costs wrong answers. The reasoning is in
// docs/decisions/0003-load-epochs.md.
const (
	// watched is the longest time between two looks, by anyone, over which growth is believed. After a longer one only a model that nobody
	// has called keeps its epoch: its counters are the same to the nanosecond.
	watched = 5 * time.Second
	// suddenRate is how many calls per second by strangers, right after a reload, could make counters overtake unseen. Below that
	// many counted calls, growth that no gateway's own calls explain ends the epoch.
	suddenRate = 128
	// suddenRateLost is the same after the connection was lost, when the server may be another one.
	suddenRateLost = 10_000
	// shortestLook is the time taken for a look however soon it comes after the last.
	shortestLook = 500 * time.Millisecond
)

// observation is what one look at a version that is ready has shown.
type observation struct {
	counters
	load   string // by the metrics page; "" where unknown
	config string // digest; "" where it was not asked for
	// reconfigured: the config is not what this process has seen before under the same epoch.
	reconfigured bool
	// since is the time since the last look by anyone, at most; lost says that the connection is not the one of this gateway's last look.
	since time.Duration
	lost  bool
	// own is what this gateway's calls have added since the epoch began.
	own share
}

type verdict uint8

const (
	keep    verdict = iota // the same load, or nothing that could be cached has happened
	suspect                // another gateway's calls may explain the growth; it has not told yet
	renew                  // another load, or it cannot be ruled out
)

// judge compares an observation with the record. self is this gateway's id. The text says why an epoch is renewed.
func judge(r *record, o *observation, self string) (verdict, string) {
	switch {
	case r.Gone:
		return renew, "it was not ready in between"
	case r.Load != "" && o.load != "" && r.Load != o.load:
		return renew, "Triton's metrics show another load"
	case o.reconfigured:
		return renew, "its config has changed"
	}
	for i := range o.counters {
		if o.counters[i] < r.Seen[i] {
			return renew, "its counters fell"
		}
	}
	if r.Load != "" && r.Load == o.load {
		return keep, ""
	}
	grown := o.counters[successCount] - r.Base // Base <= Seen <= the present count
	least, open := r.sum(self)
	least, open = least+o.own.Least, open+o.own.open()
	if grown < least {
		return renew, fmt.Sprintf("%d own calls since it was loaded, and only %d counted", least, grown)
	}
	idle := r.Seen[successCount] > 0 && o.counters == r.Seen
	if idle && !r.Doubt {
		return keep, ""
	}
	look := max(o.since, shortestLook).Seconds()
	switch {
	case idle: // what was suspect at the last look still is
	case o.counters[successCount] == r.Seen[successCount] && o.counters[successTime] != r.Seen[successTime]:
		return renew, "its counters are another load's"
	case o.since > watched:
		return renew, fmt.Sprintf("nobody has watched it for %s", o.since.Round(time.Second))
	case o.lost && float64(r.Seen[successCount]) < suddenRateLost*look:
		return renew, "the connection was lost"
	case !r.Doubt && float64(r.Seen[successCount]) >= suddenRate*look: // too many for a new load to have overtaken
		return keep, ""
	}
	if grown <= r.Told+open {
		return keep, ""
	}
	if len(r.Shares) > 1 || (len(r.Shares) == 1 && !r.has(self)) {
		return suspect, "calls that no gateway has made"
	}
	return renew, "calls that no gateway has made"
}

// surely reports whether a renewal is not one in doubt: the version was certainly loaded.
func surely(r *record, o *observation, self string) bool {
	for i := range o.counters {
		if o.counters[i] < r.Seen[i] {
			return true
		}
	}
	least, _ := r.sum(self)
	return o.counters[successCount]-r.Base < least+o.own.Least || r.Gone || o.reconfigured || r.Load != "" && o.load != "" && r.Load != o.load
}

func (r *record) has(id string) bool {
	_, found := r.Shares[id]
	return found
}
