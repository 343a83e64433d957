package cache

// Stats is what the cache has done since its start, and what it holds now. The counts only grow.
type Stats struct {
	Memory TierStats
	Redis  TierStats

	Computed uint64 // computations started
	Shared   uint64 // answers given by another caller's computation
	Running  int    // computations under way

	Breaker      string // of looking up in Redis: closed (in use), open, half-open; "" without Redis
	WriteBreaker string // of writing to Redis
	Corrupt      uint64 // values in Redis that were damaged or foreign; also counted as misses
	Pending      int64  // values that wait to be written to Redis
}

// TierStats is one tier.
type TierStats struct {
	Hits, Misses uint64
	Errors       uint64 // failed calls; they were misses for the caller
	Drops        uint64 // values evicted from memory for space; values not written to Redis: too large, its queue full, or it was away
	Entries      int    // held in memory
	Bytes        int64  // of memory they take, bookkeeping included
}

// Stats gives the present figures. It is cheap enough for every scrape of the metrics.
func (t *Tiered) Stats() Stats {
	s := Stats{Computed: t.computed.Load(), Shared: t.flights.joined.Load(), Running: t.flights.underway()}
	if m := t.memory; m != nil {
		counted := m.counter.Snapshot()
		s.Memory = TierStats{
			Hits: counted.Hits, Misses: t.tiers.nearMisses.Load(), Drops: counted.Evictions,
			Entries: m.entries.EstimatedSize(), Bytes: int64(m.entries.WeightedSize()),
		}
	}
	if r := t.remote; r != nil {
		s.Redis = TierStats{
			Hits: r.hits.Load(), Misses: r.misses.Load(),
			Errors: r.guard.failed.Load() + r.writer.guard.failed.Load(), Drops: r.writer.dropped.Load(),
		}
		s.Breaker, s.WriteBreaker = r.guard.breaker.State().String(), r.writer.guard.breaker.State().String()
		s.Corrupt, s.Pending = r.corrupt.Load(), r.writer.pending.Load()
	}
	return s
}
