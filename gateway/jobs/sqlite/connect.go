package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"
)

const (
	// patience is how long a write waits for other processes' writes.
	patience = 5 * time.Second
	// pause is the time between two tries for the lock, so that a process that writes much does not keep it from the others. SQLite's own pauses
	// grow to 100 ms.
	pause = time.Millisecond
)

// dsn names the file and how a connection is set up.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{
		"synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// openWriter opens the one connection that writes, with the schema as it has to be.
func openWriter(ctx context.Context, path string) (*sql.DB, *sql.Conn, error) {
	db, err := sql.Open("sqlite", dsn(path, "busy_timeout(0)", "cache_size(-8192)"))
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	var conn *sql.Conn
	// Two processes that make the file at the same time turn each other away for a moment.
	err = retryBusy(ctx, patience, func() (err error) {
		if conn == nil {
			if conn, err = db.Conn(ctx); err != nil {
				return err
			}
		}
		return migrate(ctx, conn)
	})
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		_ = db.Close()
		return nil, nil, err
	}
	return db, conn, nil
}

// openReader opens the connections that read.
func openReader(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "query_only(1)", "cache_size(-4096)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// retryBusy tries until the file is not held by another process, for as long as patience has it.
func retryBusy(ctx context.Context, patience time.Duration, try func() error) error {
	var tick *time.Ticker
	for end := time.Now().Add(patience); ; {
		err := try()
		if c := code(err); c != codeBusy && c != codeLocked || time.Now().After(end) {
			return err
		}
		if tick == nil {
			tick = time.NewTicker(pause)
			defer tick.Stop()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
