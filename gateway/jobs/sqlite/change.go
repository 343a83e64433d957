package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Change implements jobs.Queue.
func (s *Store) Change(ctx context.Context, id string, c jobs.Change) (*jobs.Job, error) {
	if err := s.writes.do(ctx, func(t *tx) error { return t.change(id, c, s.now()) }); err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

func (t *tx) change(id string, c jobs.Change, now int64) error {
	var (
		seq   int64
		state int
	)
	err := t.row(`SELECT seq, state FROM jobs WHERE id = ?`, []any{id}, &seq, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return notFound(id)
	}
	if err != nil {
		return err
	}
	refuse := func(what string) error {
		return fault.New(fault.Conflict, "conflict", "the job is %s; %s", states[state], what)
	}
	switch c {
	case jobs.Cancel:
		switch state {
		case queued:
			return t.exec(`UPDATE jobs SET state = 4, canceled = 1, finished = ?2, sweep_at = ?2 + ttl WHERE seq = ?1`, seq, now)
		case running:
			return t.exec(`UPDATE jobs SET canceled = 1 WHERE seq = ?1`, seq)
		}
		return refuse("it cannot be cancelled any more")
	case jobs.Retry:
		if state == queued || state == running || state == succeeded {
			return refuse("only one that failed, was cancelled or has expired can be retried")
		}
		return t.retry(seq, now)
	case jobs.Told:
		if state == queued || state == running {
			return refuse("there is nothing to tell its webhook yet")
		}
		return t.exec(`UPDATE jobs SET told = 1 WHERE seq = ?1`, seq)
	}
	return fault.New(fault.Invalid, "invalid_request", "a job cannot be changed by %q; it can be by cancel, retry and told", c)
}

// retry puts a job into the queue anew, with the good results it has, in their order.
func (t *tx) retry(seq, now int64) error {
	if err := t.exec(`DELETE FROM results WHERE seq = ? AND bad`, seq); err != nil {
		return err
	}
	kept, err := t.numbers(`SELECT n FROM results WHERE seq = ? ORDER BY n`, seq)
	if err != nil {
		return err
	}
	for to, from := range kept {
		if int64(to) == from {
			continue
		}
		if err := t.exec(`UPDATE results SET n = ?3 WHERE seq = ?1 AND n = ?2`, seq, from, to); err != nil {
			return err
		}
	}
	return t.exec(`UPDATE jobs SET state = 0, run_at = ?2, deadline = iif(deadline <= ?2, NULL, deadline), sweep_at = NULL, done = ?3, bad = 0, attempt = 0, crashes = 0,
		finished = NULL, canceled = 0, told = 1 - hook, problem = NULL WHERE seq = ?1`, seq, now, len(kept))
}
