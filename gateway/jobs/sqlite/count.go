package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"triton-gateway/gateway/jobs"
)

const oldestQuery = `SELECT run_at FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = ?1 AND run_at <= ?2 ORDER BY run_at LIMIT 1`

// Count implements jobs.Blobs. The file keeps the figures; nothing is counted out.
func (s *Store) Count(ctx context.Context) (*jobs.Counts, error) {
	c, err := s.count(ctx)
	return c, failure(ctx, err)
}

func (s *Store) count(ctx context.Context) (*jobs.Counts, error) {
	c := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}}
	if err := s.reads.row(ctx, `SELECT bytes FROM totals`, nil, &c.Bytes); err != nil {
		return nil, err
	}
	q, err := s.reads.prepared(ctx, `SELECT priority, state, n FROM counts`)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var priority, state, n int
		if err := rows.Scan(&priority, &state, &n); err != nil {
			return nil, err
		}
		p := priorities[priority]
		if c.Jobs[p] == nil {
			c.Jobs[p] = map[jobs.State]int{}
		}
		c.Jobs[p][states[state]] = n
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return c, s.oldest(ctx, c)
}

// oldest finds when the first of each class arrived.
func (s *Store) oldest(ctx context.Context, c *jobs.Counts) error {
	now := s.now()
	for number, p := range priorities {
		var at int64
		err := s.reads.row(ctx, oldestQuery, []any{number, now}, &at)
		if err == nil {
			c.Oldest[p] = jobs.Moment(at)
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}
