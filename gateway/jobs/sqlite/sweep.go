package sqlite

import (
	"context"
	"encoding/hex"
)

const (
	// sweepSteps is how many writes one Sweep makes at most.
	sweepSteps = 8
	// sweepRows is how many results one of them deletes at most.
	sweepRows = 2000
)

const (
	finalQuery = `SELECT seq FROM jobs WHERE sweep_at <= ?1 ORDER BY sweep_at LIMIT ?2`
	freeQuery  = `SELECT n FROM blobs WHERE refs = 0 AND put <= ?1 ORDER BY put LIMIT ?2`
)

// Sweep implements jobs.Blobs. Each of its writes is short, and others' come between.
func (s *Store) Sweep(ctx context.Context) (more bool, err error) {
	for range sweepSteps {
		var files []string
		if err := s.writes.do(ctx, func(t *tx) (err error) {
			more, files, err = t.sweep(s.now())
			return err
		}); err != nil {
			return false, err
		}
		for _, f := range files {
			s.removeFile(f)
		}
		if !more {
			return false, failure(ctx, s.sweepFiles(ctx))
		}
	}
	return true, nil
}

// sweep does one step: it makes final jobs invisible, or else deletes some of what these have left, or else blobs. It gives the files to be deleted when
// that is committed.
func (t *tx) sweep(now int64) (more bool, files []string, err error) {
	final, err := t.numbers(finalQuery, now, bite)
	if err != nil {
		return false, nil, err
	}
	for _, seq := range final {
		if err := t.exec(`INSERT INTO trash (seq) VALUES (?)`, seq); err != nil {
			return false, nil, err
		}
		if err := t.exec(`DELETE FROM jobs WHERE seq = ?`, seq); err != nil {
			return false, nil, err
		}
	}
	if len(final) > 0 {
		return true, nil, nil
	}
	if did, err := t.empty(); did || err != nil {
		return did, nil, err
	}
	return t.sweepBlobs(now)
}

// empty deletes what invisible jobs have left.
func (t *tx) empty() (did bool, err error) {
	trash, err := t.numbers(`SELECT seq FROM trash ORDER BY seq LIMIT ?`, bite)
	if err != nil {
		return false, err
	}
	for rows := int64(sweepRows); len(trash) > 0 && rows > 0; trash = trash[1:] {
		seq := trash[0]
		n, err := t.changed(`DELETE FROM results WHERE seq = ?1 AND n IN (SELECT n FROM results WHERE seq = ?1 ORDER BY n LIMIT ?2)`, seq, rows)
		if err != nil {
			return false, err
		}
		if rows -= n + 1; rows <= 0 {
			return true, nil
		}
		n, err = t.changed(`UPDATE blobs SET refs = refs - 1 WHERE digest IN
			(SELECT unhex(i.value ->> '$.blob') FROM specs s, json_each(s.items) i WHERE s.seq = ?)`, seq)
		if err != nil {
			return false, err
		}
		rows -= n
		for _, q := range []string{`DELETE FROM specs WHERE seq = ?`, `DELETE FROM trash WHERE seq = ?`} {
			if err := t.exec(q, seq); err != nil {
				return false, err
			}
		}
		did = true
	}
	return did, nil
}

// sweepBlobs deletes blobs that no job names.
func (t *tx) sweepBlobs(now int64) (more bool, files []string, err error) {
	free, err := t.numbers(freeQuery, now-(unnamed+fresh).Microseconds(), bite)
	if err != nil {
		return false, nil, err
	}
	for _, n := range free {
		var file *string
		if err := t.row(`DELETE FROM blobs WHERE n = ? RETURNING file`, []any{n}, &file); err != nil {
			return false, nil, err
		}
		if file != nil {
			files = append(files, *file)
		} else if err := t.exec(`DELETE FROM blob_data WHERE n = ?`, n); err != nil {
			return false, nil, err
		}
	}
	return len(free) > 0, files, nil
}

// sweepFiles looks through one part of the folder, another each time, for files that a crash has left: no blob names them, and they are old.
func (s *Store) sweepFiles(ctx context.Context) error {
	names, err := s.strays(byte(s.shard.Add(1)))
	if err != nil {
		return err
	}
	for _, name := range names {
		var n int
		if len(name) >= 3+64 && isDigest(name[3:3+64]) {
			key, _ := hex.DecodeString(name[3 : 3+64]) // isDigest
			if err := s.reads.row(ctx, `SELECT count(*) FROM blobs WHERE digest = ? AND file = ?`, []any{key, name}, &n); err != nil {
				return err
			}
		}
		if n == 0 {
			s.removeFile(name)
		}
	}
	return nil
}
