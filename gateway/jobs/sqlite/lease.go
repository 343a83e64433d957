package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"triton-gateway/gateway/jobs"
)

// bite is how many jobs one write moves on that nobody has asked for: dead ones, expired ones, swept ones.
const bite = 200

// The queries of Lease. ?1 is now, ?2 how many. Without its figures about the data, SQLite would take the index of state alone: the texts name theirs.
const (
	workQuery = `SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_lease WHERE state = 1 AND lease_end <= ?1)
		OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 0 AND run_at <= ?1)
		OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 1 AND run_at <= ?1)
		OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 2 AND run_at <= ?1)
		OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_deadline WHERE state = 0 AND deadline <= ?1)`
	deadQuery    = `SELECT seq FROM jobs INDEXED BY jobs_lease WHERE state = 1 AND lease_end <= ?1 ORDER BY lease_end LIMIT ?2`
	overdueQuery = `SELECT seq FROM jobs INDEXED BY jobs_deadline WHERE state = 0 AND deadline <= ?1 ORDER BY deadline LIMIT ?2`
	// The earliest of each class, and of these the earliest by place. ?3 to ?5 are the leads.
	dueQuery = `SELECT seq FROM (
		SELECT * FROM (SELECT seq, run_at - ?3 AS place FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 0 AND run_at <= ?1 AND (deadline IS NULL OR deadline > ?1) ORDER BY run_at, seq LIMIT ?2)
		UNION ALL
		SELECT * FROM (SELECT seq, run_at - ?4 AS place FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 1 AND run_at <= ?1 AND (deadline IS NULL OR deadline > ?1) ORDER BY run_at, seq LIMIT ?2)
		UNION ALL
		SELECT * FROM (SELECT seq, run_at - ?5 AS place FROM jobs INDEXED BY jobs_due WHERE state = 0 AND priority = 2 AND run_at <= ?1 AND (deadline IS NULL OR deadline > ?1) ORDER BY run_at, seq LIMIT ?2)
		) ORDER BY place, seq LIMIT ?2`
)

// leased is a job that was leased.
type leased struct{ seq, fence int64 }

// Lease implements jobs.Queue.
func (s *Store) Lease(ctx context.Context, n int, ttl time.Duration) ([]*jobs.Job, error) {
	// Where there is nothing to do, which is most of the time, the file is not locked.
	var work bool
	if err := s.reads.row(ctx, workQuery, []any{s.now()}, &work); err != nil || !work || n < 1 {
		return nil, failure(ctx, err)
	}
	var got []leased
	if err := s.writes.do(ctx, func(t *tx) (err error) {
		got, err = t.lease(s.now(), n, ttl)
		return err
	}); err != nil {
		return nil, err
	}
	// The jobs are read outside of the write, since large ones take time to decode; also for a caller that has left meanwhile, who can give them back.
	ctx = context.WithoutCancel(ctx)
	list := make([]*jobs.Job, 0, len(got))
	for _, l := range got {
		j, err := s.get(ctx, `j.seq = ?`, l.seq, true)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, failure(ctx, err)
		}
		j.Fence, j.State = l.fence, jobs.Running
		list = append(list, j)
	}
	return list, nil
}

// lease moves on what is dead or overdue, and takes the most urgent of what is due.
func (t *tx) lease(now int64, n int, ttl time.Duration) (got []leased, err error) {
	dead, err := t.numbers(deadQuery, now, max(bite, n))
	if err != nil {
		return nil, err
	}
	for _, seq := range dead {
		if err := t.exec(`UPDATE jobs SET state = iif(canceled, 4, 0), finished = iif(canceled, ?2, NULL), sweep_at = iif(canceled, ?2 + ttl, NULL), lease_end = NULL,
			crashes = crashes + 1 WHERE seq = ?1`, seq, now); err != nil {
			return nil, err
		}
	}
	overdue, err := t.numbers(overdueQuery, now, bite)
	if err != nil {
		return nil, err
	}
	for _, seq := range overdue {
		if err := t.exec(`UPDATE jobs SET state = 5, finished = ?2, sweep_at = ?2 + ttl WHERE seq = ?1`, seq, now); err != nil {
			return nil, err
		}
	}
	due, err := t.numbers(dueQuery, now, n, lead(0), lead(1), lead(2))
	if err != nil {
		return nil, err
	}
	for _, seq := range due {
		l := leased{seq: seq}
		if err := t.row(`UPDATE jobs SET state = 1, fence = fence + 1, lease_end = ?2, started = coalesce(started, ?3) WHERE seq = ?1 RETURNING fence`,
			[]any{seq, now + ttl.Microseconds(), now}, &l.fence); err != nil {
			return nil, err
		}
		got = append(got, l)
	}
	return got, nil
}
