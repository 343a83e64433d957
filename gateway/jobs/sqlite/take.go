package sqlite

import (
	"context"
	"encoding/hex"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Take implements jobs.Taker. The blobs are kept in the database.
func (s *Store) Take(ctx context.Context, spec *jobs.Spec, blobs []jobs.Blob) (existing *jobs.Job, place int, err error) {
	for _, b := range blobs {
		if !isDigest(b.Digest) {
			return nil, -1, badDigest(b.Digest)
		}
	}
	existing, r, err := s.create(ctx, spec, blobs)
	if existing != nil || err != nil {
		return existing, -1, err
	}
	if place, err = s.place(ctx, r); err != nil { // the job is there all the same
		place = -1
	}
	return nil, place, nil
}

// lookAt tells which of a job's blobs are in the store already, and gives the error where the others do not fit, or one that the job names is nowhere.
func (s *Store) lookAt(t *tx, c *created) (known []bool, err error) {
	known = make([]bool, len(c.blobs))
	missing, size := c.count, int64(0)
	for i, b := range c.blobs {
		key, _ := hex.DecodeString(b.Digest) // isDigest
		var n int64
		if err := t.row(`SELECT count(*) FROM blobs WHERE digest = ?`, []any{key}, &n); err != nil {
			return nil, err
		}
		if known[i] = n > 0; !known[i] {
			missing--
			size += int64(len(b.Data))
		}
	}
	if size > 0 {
		var total int64
		if err := t.row(`SELECT bytes FROM totals`, nil, &total); err != nil {
			return nil, err
		}
		if err := s.room(total, size); err != nil {
			return nil, err
		}
	}
	if missing == 0 {
		return known, nil
	}
	var n int64
	if err := t.row(`SELECT count(*) FROM blobs WHERE digest IN (SELECT unhex(value) FROM json_each(?))`, []any{c.digests}, &n); err != nil {
		return nil, err
	}
	if n != missing {
		return nil, fault.New(fault.Conflict, "conflict", "%d of the job's blobs are not in the store; put them first", missing-n)
	}
	return known, nil
}
