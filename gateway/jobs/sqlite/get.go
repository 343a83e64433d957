package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"triton-gateway/gateway/jobs"
)

// farthest is the last place that is counted out: a count reads as many entries of an index.
const farthest = 50_000

// Get implements jobs.Records.
func (s *Store) Get(ctx context.Context, id string) (*jobs.Job, error) {
	return s.byID(ctx, id, true)
}

// Look implements jobs.Looker.
func (s *Store) Look(ctx context.Context, id string) (*jobs.Job, error) {
	return s.byID(ctx, id, false)
}

// ByKey implements jobs.Keyed.
func (s *Store) ByKey(ctx context.Context, tenant, key string) (*jobs.Job, error) {
	var id string
	err := s.reads.row(ctx, `SELECT id FROM jobs WHERE tenant = ? AND key = ?`, []any{tenant, key}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound("")
	}
	if err != nil {
		return nil, failure(ctx, err)
	}
	return s.Look(ctx, id)
}

func (s *Store) byID(ctx context.Context, id string, items bool) (*jobs.Job, error) {
	j, err := s.get(ctx, `j.id = ?`, id, items)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(id)
	}
	return j, failure(ctx, err)
}

// get reads the job that a condition on one value tells, with its items or without.
func (s *Store) get(ctx context.Context, which string, value any, items bool) (*jobs.Job, error) {
	var r row
	read, into := columns, r.into()
	if items {
		read, into = read+`, s.items`, append(into, &r.items)
	}
	err := s.reads.row(ctx, `SELECT `+read+` FROM jobs j JOIN specs s ON s.seq = j.seq WHERE `+which, []any{value}, into...)
	if err != nil {
		return nil, err
	}
	j, err := r.job()
	if err != nil || r.state != queued {
		return j, err
	}
	j.Place, err = s.place(ctx, &r)
	return j, err
}

// placeQuery counts the due jobs of one class that are before one of the same or another class, whose arrival would be ?2 in this one.
const placeQuery = `SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = ?1 AND run_at <= min(?2, ?3) AND (run_at < ?2 OR seq < ?4) LIMIT ?5)`

// place counts the due jobs before a queued one.
func (s *Store) place(ctx context.Context, r *row) (int, error) {
	sum, now := 0, s.now()
	for class := range priorities {
		var n int
		if err := s.reads.row(ctx, placeQuery, []any{class, r.runAt - lead(r.priority) + lead(class), now, r.seq, farthest + 1}, &n); err != nil {
			return 0, err
		}
		if sum += n; sum > farthest {
			return -1, nil
		}
	}
	return sum, nil
}

// Results implements jobs.Records.
func (s *Store) Results(ctx context.Context, id string, from, limit int) ([]jobs.Result, error) {
	list, err := s.results(ctx, id, max(from, 0), max(limit, 0))
	return list, failure(ctx, err)
}

const resultsQuery = `SELECT item, bad, body FROM results WHERE seq = ? AND n >= ? ORDER BY n LIMIT ?`

func (s *Store) results(ctx context.Context, id string, from, limit int) (list []jobs.Result, err error) {
	var seq int64
	err = s.reads.row(ctx, `SELECT seq FROM jobs WHERE id = ?`, []any{id}, &seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(id)
	}
	if err != nil {
		return nil, err
	}
	q, err := s.reads.prepared(ctx, resultsQuery)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, seq, from, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r jobs.Result
		if err := rows.Scan(&r.Index, &r.Bad, &r.Body); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
