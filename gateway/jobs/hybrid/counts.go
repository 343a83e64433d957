package hybrid

import (
	"context"
	"errors"
	"maps"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	fresh = 100 * time.Millisecond // how old figures may be by which jobs overflow
	late  = time.Second            // and those by which leases are shared out
)

// figures gives those of the store that are at most so old, and how many realtime jobs this process has handed in since.
func (d *side) figures(ctx context.Context, old time.Duration) (c *jobs.Counts, added int, err error) {
	d.mu.Lock()
	if c, added = d.counts, d.added; c != nil && d.now().Sub(d.counted) < old {
		d.mu.Unlock()
		return c, added, nil
	}
	before := d.added
	d.mu.Unlock()
	c, err = d.Count(ctx)
	if d.note(err) != nil {
		return nil, 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts, d.counted = c, d.now()
	d.added = max(d.added-before, 0)
	return c, d.added, nil
}

// add notes that a job was handed in.
func (d *side) add(spec *jobs.Spec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if spec.Priority == jobs.Realtime {
		d.added++
	}
}

// waiting is how many jobs wait in the store, as was counted last.
func (d *side) waiting() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		return 0
	}
	for _, states := range d.counts.Jobs {
		n += states[jobs.Queued]
	}
	return n + d.added
}

// first is the earliest place in the store's queue, as was counted at most a second ago; ok is false where none is known.
func (d *side) first(ctx context.Context) (at time.Time, ok bool) {
	if d.gone() {
		return at, false
	}
	c, _, err := d.figures(ctx, late)
	if err != nil {
		return at, false
	}
	for p, t := range c.Oldest {
		if t = t.Add(-p.Lead()); !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// Count implements jobs.Blobs. Of a store that is away it gives what was counted last; where that is nothing, or both are, it fails.
func (s *Store) Count(ctx context.Context) (*jobs.Counts, error) {
	sum := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}}
	away := 0
	for _, d := range []*side{s.near, s.far} {
		c, _, err := d.figures(ctx, 0)
		if err != nil {
			d.mu.Lock()
			c = d.counts
			d.mu.Unlock()
			if away++; c == nil || away == 2 || fault.KindOf(err) != fault.Unavailable {
				return nil, err
			}
		}
		for p, states := range c.Jobs {
			if sum.Jobs[p] == nil {
				sum.Jobs[p] = maps.Clone(states)
				continue
			}
			for state, n := range states {
				sum.Jobs[p][state] += n
			}
		}
		for p, t := range c.Oldest {
			if at, ok := sum.Oldest[p]; !ok || t.Before(at) {
				sum.Oldest[p] = t
			}
		}
		if sum.Bytes < 0 || c.Bytes < 0 {
			sum.Bytes = -1
		} else {
			sum.Bytes += c.Bytes
		}
	}
	return sum, nil
}

// Sweep implements jobs.Blobs: of both, even where one is away.
func (s *Store) Sweep(ctx context.Context) (bool, error) {
	near, err := s.near.Sweep(ctx)
	far, other := s.far.Sweep(ctx)
	if err = errors.Join(s.near.note(err), s.far.note(other)); err != nil {
		return false, err
	}
	return near || far, nil
}
