package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"triton-gateway/internal/fault"
)

const (
	// inline is the largest blob that is kept in the database, in bytes. A file costs two waits for the disk of its own, a blob in the database shares
	// the wait of those that are written with it but is written twice, and holds up the others meanwhile.
	inline = 64 << 10
	// unnamed is how long a blob that no job names is kept after it was last put.
	unnamed = time.Hour
	// fresh is for how long a blob that is put again counts as just put, which saves the write.
	fresh = 5 * time.Minute
)

// isDigest reports whether s is a SHA-256 in lower-case hex.
func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func badDigest(s string) *fault.Error {
	return fault.New(fault.Invalid, "invalid_request", "a blob's digest has to be a SHA-256 in 64 lower-case hex digits, not %.80q", s)
}

// Put implements jobs.Blobs.
func (s *Store) Put(ctx context.Context, digest string, data []byte) error {
	if !isDigest(digest) {
		return badDigest(digest)
	}
	key, _ := hex.DecodeString(digest) // isDigest
	var put int64
	err := s.reads.row(ctx, `SELECT put FROM blobs WHERE digest = ?`, []any{key}, &put)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failure(ctx, err)
	}
	if known && s.now()-put < fresh.Microseconds() {
		return nil
	}
	size := int64(len(data))
	if !known {
		var total int64
		if err := s.reads.row(ctx, `SELECT bytes FROM totals`, nil, &total); err != nil {
			return failure(ctx, err)
		}
		if err := s.room(total, size); err != nil {
			return err
		}
	}
	var file any
	name := ""
	if !known && size > inline {
		if name, err = s.writeFile(digest, data); err != nil {
			return failure(ctx, err)
		}
		file = name
	}
	used := false
	err = s.writes.do(ctx, func(t *tx) error {
		used = false
		n, err := t.changed(putAgain, s.now(), key)
		if err != nil || n > 0 {
			return err
		}
		if known && size > inline { // swept since it was looked for
			return errSwept
		}
		var total int64
		if err := t.row(`SELECT bytes FROM totals`, nil, &total); err != nil {
			return err
		}
		if err := s.room(total, size); err != nil {
			return err
		}
		used = true
		return t.putBlob(key, data, file, s.now())
	})
	if name != "" && (err != nil || !used) {
		s.removeFile(name)
	}
	if errors.Is(err, errSwept) {
		return s.Put(ctx, digest, data) // its turn to be written
	}
	return err
}

// errSwept says that a blob has gone just now. It is a refusal: nothing was written.
var errSwept = fault.New(fault.Conflict, "conflict", "the blob was deleted meanwhile")

// room checks that a blob of the given size fits.
func (s *Store) room(total, size int64) error {
	if most := s.options.MaxBytes; most > 0 && size > most-total {
		return fault.New(fault.TooLarge, "job_store_full", "the inputs of jobs take %d of %d bytes, and %d more are too many; come again when older jobs are deleted, or raise jobs.max_bytes",
			total, most, size)
	}
	return nil
}

// putAgain notes that a blob was put once more.
const putAgain = `UPDATE blobs SET put = max(put, ?) WHERE digest = ?`

func (t *tx) putBlob(key, data []byte, file any, now int64) error {
	var n int64
	if err := t.row(`INSERT INTO blobs (digest, size, put, file) VALUES (?, ?, ?, ?) RETURNING n`, []any{key, len(data), now, file}, &n); err != nil || file != nil {
		return err
	}
	if data == nil {
		data = []byte{}
	}
	return t.exec(`INSERT INTO blob_data (n, data) VALUES (?, ?)`, n, data)
}

const blobQuery = `SELECT b.file, b.size, d.data FROM blobs b LEFT JOIN blob_data d ON d.n = b.n WHERE b.digest = ?`

// Blob implements jobs.Blobs.
func (s *Store) Blob(ctx context.Context, digest string) ([]byte, error) {
	missing := fault.New(fault.NotFound, "blob_not_found", "the bytes of %.64q are not in the store; no job needs them any more", digest)
	if !isDigest(digest) {
		return nil, missing
	}
	key, _ := hex.DecodeString(digest) // isDigest
	var (
		file *string
		size int64
		data []byte
	)
	err := s.reads.row(ctx, blobQuery, []any{key}, &file, &size, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, missing
	}
	if err == nil && file != nil {
		data, err = s.readFile(*file, size)
	}
	if err != nil {
		return nil, failure(ctx, err)
	}
	return data, nil
}
