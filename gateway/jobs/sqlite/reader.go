package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// reader runs queries on connections that only read.
type reader struct {
	db         *sql.DB
	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

// prepared gives the statement of a text, which has to be one of few.
func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.statements[query]; s != nil {
		return s, nil
	}
	// Whoever is first has the others wait, for as long as SQLite takes to parse a text; the statement outlives the caller.
	s, err := r.db.PrepareContext(context.WithoutCancel(ctx), query)
	if err == nil {
		r.statements[query] = s
	}
	return s, err
}

// row reads one row; sql.ErrNoRows where there is none.
func (r *reader) row(ctx context.Context, query string, args []any, into ...any) error {
	s, err := r.prepared(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.statements {
		_ = s.Close()
	}
	return r.db.Close()
}
