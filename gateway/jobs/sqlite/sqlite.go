// Package sqlite keeps jobs in one SQLite file and a folder of blobs beside it. It exists so that a gateway alone on its machine loses no
// job without any server to set up: what is acknowledged is on the disk. Several processes on one machine may open the same file; over a network file
// system it does not work.
//
// All writes of a process go through one goroutine and one connection, which commits those that have come meanwhile together, so that they share one
// wait for the disk. Reads have connections of their own and wait for nobody.
package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Options say where jobs are kept, and how many.
type Options struct {
	Path     string           // of the file; made where it is not there. Blobs are in the folder Path + ".blobs"
	MaxBytes int64            // of blobs together; 0: no limit
	MaxJobs  int              // final ones included; 0: no limit
	Now      func() time.Time // nil: time.Now
}

// Store is a jobs.Store. It is safe for concurrent use.
type Store struct {
	options Options
	folder  string // of blobs
	reads   *reader
	writes  *writer
	shard   atomic.Uint32 // of the folder: the one that is looked through next for files that nothing names
	close   func() error
}

var (
	_ jobs.Store  = (*Store)(nil)
	_ jobs.Looker = (*Store)(nil)
	_ jobs.Keyed  = (*Store)(nil)
	_ jobs.Taker  = (*Store)(nil)
)

// readers is how many reads run at a time; more wait.
const readers = 4

// Open opens the store, and makes or migrates its file where need be. Errors are Unavailable job_store_unavailable and say what to do: the file is none of
// this program's, is damaged, comes from a newer version, or cannot be written.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Path == "" {
		return nil, unavailable("the job store has no file; name one in jobs.queue, such as sqlite:jobs.db", nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, openFault(o.Path, err)
	}
	s := &Store{options: o, folder: path + ".blobs"}
	if err := s.prepare(ctx, path); err != nil {
		return nil, openFault(path, err)
	}
	return s, nil
}

// prepare makes what is not there and opens the connections.
func (s *Store) prepare(ctx context.Context, path string) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	// What is in a job is nobody else's business; SQLite gives its other files the same permissions.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return err
	}
	db, conn, err := openWriter(ctx, path)
	if err != nil {
		return err
	}
	read, err := openReader(path)
	if err != nil {
		_ = conn.Close()
		_ = db.Close()
		return err
	}
	s.reads = &reader{db: read, statements: map[string]*sql.Stmt{}}
	s.writes = newWriter(conn)
	s.close = sync.OnceValue(func() error {
		s.writes.stop()
		err := s.reads.close()
		if e := conn.Close(); err == nil {
			err = e
		}
		if e := db.Close(); err == nil {
			err = e
		}
		return err
	})
	return nil
}

// Close ends the use of the store: what has been asked for is finished, what comes after is refused. It may be called again.
func (s *Store) Close() error { return s.close() }

// now is the store's time, in microseconds since 1970.
func (s *Store) now() int64 { return s.options.Now().UnixMicro() }

// micro is a time as a column has it; nil, which is NULL, for the zero time.
func micro(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return jobs.Micros(t)
}

func notFound(id string) error {
	if len(id) > 64 {
		id = id[:64] + "..."
	}
	return fault.New(fault.NotFound, "job_not_found", "there is no job %q; it never was, or its result_ttl is over", id)
}
