package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// held is a job that a worker may write to.
type held struct {
	seq, total, done, bad int64
	canceled              bool
}

// hold finds the job of a lease, and checks that nothing stands against the results.
func (t *tx) hold(l jobs.Lease, add []jobs.Result) (*held, error) {
	var (
		h     held
		state int
		fence int64
	)
	err := t.row(`SELECT seq, total, done, bad, canceled, state, fence FROM jobs WHERE id = ?`, []any{l.ID}, &h.seq, &h.total, &h.done, &h.bad, &h.canceled, &state, &fence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, notFound(l.ID)
	case err != nil:
		return nil, err
	case state != running || fence != l.Fence:
		return nil, fault.New(fault.Conflict, "lease_lost", "the lease %d of the job is lost: it is %s, and its newest lease is %d", l.Fence, states[state], fence)
	}
	for _, r := range add {
		if r.Index < 0 || int64(r.Index) >= h.total {
			return nil, fault.New(fault.Internal, "internal", "a result of item %d, of %d", r.Index, h.total)
		}
	}
	return &h, nil
}

// append adds the results of items that have none.
func (t *tx) append(h *held, add []jobs.Result) error {
	for _, r := range add {
		body := r.Body
		if body == nil {
			body = []byte{}
		}
		n, err := t.changed(`INSERT INTO results (seq, n, item, bad, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (seq, item) DO NOTHING`, h.seq, h.done, r.Index, r.Bad, body)
		if err != nil {
			return err
		}
		h.done += n
		if r.Bad {
			h.bad += n
		}
	}
	return nil
}

// Extend implements jobs.Queue.
func (s *Store) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	err = s.writes.do(ctx, func(t *tx) error {
		h, err := t.hold(l, add)
		if err != nil {
			return err
		}
		if err := t.append(h, add); err != nil {
			return err
		}
		canceled = h.canceled
		return t.exec(`UPDATE jobs SET lease_end = ?2, crashes = iif(done < ?3, 0, crashes), done = ?3, bad = ?4 WHERE seq = ?1`,
			h.seq, s.now()+ttl.Microseconds(), h.done, h.bad)
	})
	return canceled && err == nil, err
}

// Settle implements jobs.Queue.
func (s *Store) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	state, ok := stateNumber(o.State)
	if !ok || state == running {
		return fault.New(fault.Internal, "internal", "a lease cannot end in state %q", o.State)
	}
	var problem any
	if o.Problem != nil {
		b, err := json.Marshal(o.Problem)
		if err != nil {
			return fault.New(fault.Internal, "internal", "the problem of a job").Wrap(err)
		}
		problem = string(b)
	}
	return s.writes.do(ctx, func(t *tx) error {
		h, err := t.hold(l, add)
		if err != nil {
			return err
		}
		if err := t.append(h, add); err != nil {
			return err
		}
		return t.settle(h, o, state, problem, s.now())
	})
}

func (t *tx) settle(h *held, o jobs.Outcome, state int, problem any, now int64) error {
	burn := 0
	if o.Burn {
		burn = 1
	}
	if state == queued && h.canceled {
		state = canceled
	}
	if state != queued {
		return t.exec(`UPDATE jobs SET state = ?2, finished = ?3, sweep_at = ?3 + ttl, lease_end = NULL, crashes = iif(done < ?4, 0, crashes), done = ?4, bad = ?5, attempt = attempt + ?6, problem = ?7 WHERE seq = ?1`,
			h.seq, state, now, h.done, h.bad, burn, problem)
	}
	again := int64(0)
	if o.RunAt.After(jobs.Moment(now)) {
		again = jobs.Micros(o.RunAt)
	}
	return t.exec(`UPDATE jobs SET state = 0, lease_end = NULL, run_at = iif(?2 > 0, ?2, run_at), crashes = iif(done < ?3, 0, crashes), done = ?3, bad = ?4,
		attempt = attempt + ?5, problem = coalesce(?6, problem) WHERE seq = ?1`, h.seq, again, h.done, h.bad, burn, problem)
}
