package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// checked is the largest file that is read through when it is opened, in bytes; a larger one is looked at only in part.
const checked = 32 << 20

// migrate brings the file to the present schema, in one transaction, and refuses files that are none of this package's.
func migrate(ctx context.Context, conn *sql.Conn) error {
	number := func(query string) (n int, err error) {
		return n, conn.QueryRowContext(ctx, query).Scan(&n)
	}
	tables, err := number(`SELECT count(*) FROM sqlite_master`)
	if err != nil {
		return err
	}
	id, err := number(`PRAGMA application_id`)
	if err != nil {
		return err
	}
	if tables > 0 && id != applicationID {
		return unavailable("the file is an SQLite database, but none of jobs; name another file in jobs.queue", nil)
	}
	if err := check(ctx, conn); err != nil {
		return err
	}
	var mode string
	if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return unavailable("the file system of the job store does not do what SQLite's write-ahead log needs; name a file on a local disk in jobs.queue", nil)
	}
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err := steps(ctx, conn); err != nil {
		_, e := conn.ExecContext(ctx, `ROLLBACK`)
		return errors.Join(err, e)
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	return err
}

// steps runs, inside a transaction, the migrations that the file lacks.
func steps(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d;
		CREATE TABLE IF NOT EXISTS schema (version INTEGER PRIMARY KEY, applied TEXT NOT NULL) STRICT`, applicationID))
	if err != nil {
		return err
	}
	var version int
	if err := conn.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema`).Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return unavailable(fmt.Sprintf("the job store was written by a newer version of this program (schema %d, known up to %d); run that one, or name another file in jobs.queue",
			version, len(migrations)), nil)
	}
	for ; version < len(migrations); version++ {
		if _, err := conn.ExecContext(ctx, migrations[version]); err != nil {
			return fmt.Errorf("schema %d: %w", version+1, err)
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO schema VALUES (?, datetime('now'))`, version+1); err != nil {
			return err
		}
	}
	return nil
}

// check reads a small file through, and finds what is damaged before jobs are taken in.
func check(ctx context.Context, conn *sql.Conn) error {
	var pages, size int64
	if err := conn.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&pages); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, `PRAGMA page_size`).Scan(&size); err != nil {
		return err
	}
	if pages > checked/size {
		return nil
	}
	var said string
	if err := conn.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return unavailable("the job store's file is damaged; stop the gateway, move the file and those named like it away, and start again, or put back a copy", errors.New(said))
	}
	return nil
}
