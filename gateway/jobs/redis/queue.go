package redis

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// heavy is how many bytes of results one script takes, unless one alone is larger.
const heavy = 8 << 20

// Lease implements jobs.Queue. At most 1000 jobs are given at a time. Where the answer is lost, the leases are: the jobs are due again after ttl.
func (s *Store) Lease(ctx context.Context, n int, ttl time.Duration) (list []*jobs.Job, err error) {
	if n < 1 || ttl < time.Millisecond {
		return nil, invalid("a lease is for 1 job or more and 1 ms or longer, not %d and %v", n, ttl)
	}
	word, rest, err := s.call(ctx, s.scripts.lease, once, min(n, piece), ttl.Microseconds())
	if err != nil {
		return nil, err
	}
	if word != "ok" {
		return nil, damaged(errReply)
	}
	for _, v := range rest {
		id, reply := pair(v)
		j, _, err := decode(id, reply, true)
		if err != nil {
			s.bury(ctx, id, reply, err)
			continue
		}
		list = append(list, j)
	}
	return list, nil
}

// bury ends a job that cannot be read, so that it comes no more.
func (s *Store) bury(ctx context.Context, id string, reply any, why error) {
	s.options.Log.Error("a job in the store cannot be read", "job", id, "error", why)
	r := record{at: slices.Index(fields, "fence")}
	if r.values, _ = reply.([]any); len(r.values) <= r.at {
		return
	}
	o := jobs.Outcome{State: jobs.Failed, Problem: &jobs.Problem{Code: "job_unreadable", Detail: "the job cannot be read; hand it in again", Poison: true}}
	if err := s.Settle(ctx, jobs.Lease{ID: id, Fence: r.number()}, o, nil); err != nil {
		s.options.Log.Error("a job that cannot be read stays", "job", id, "error", err)
	}
}

// Extend implements jobs.Queue. More than 1000 results or 8 MiB are written in several steps, each under the lease.
func (s *Store) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	if ttl < time.Millisecond {
		return false, invalid("a lease is for 1 ms or longer, not %v", ttl)
	}
	for {
		now, rest := split(add)
		if canceled, err = s.write(ctx, l, ttl, jobs.Outcome{}, now); err != nil || len(rest) == 0 {
			return canceled, err
		}
		add = rest
	}
}

// Settle implements jobs.Queue. More than 1000 results or 8 MiB are written in several steps, the outcome with the last ones.
func (s *Store) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	if o.State != jobs.Queued && (!o.State.Final() || !known(states, o.State)) {
		return invalid("a lease does not end as %q", o.State)
	}
	for {
		now, rest := split(add)
		if len(rest) == 0 {
			_, err := s.write(ctx, l, 0, o, now)
			return err
		}
		if _, err := s.write(ctx, l, time.Minute, jobs.Outcome{}, now); err != nil {
			return err
		}
		add = rest
	}
}

// split gives what one script takes, and what is left.
func split(add []jobs.Result) (now, rest []jobs.Result) {
	size := 0
	for i := range add {
		if size += len(add[i].Body); i > 0 && (size > heavy || i == piece) {
			return add[:i], add[i:]
		}
	}
	return add, nil
}

// write extends the lease where o has no state, and ends it otherwise.
func (s *Store) write(ctx context.Context, l jobs.Lease, ttl time.Duration, o jobs.Outcome, add []jobs.Result) (canceled bool, err error) {
	if l.ID == "" || len(l.ID) > longestID || l.Fence < 1 || l.Fence > 1<<53 {
		return false, lost()
	}
	var problem []byte
	if o.Problem != nil {
		if problem, err = json.Marshal(o.Problem); err != nil {
			return false, invalid("the problem of a job cannot be stored").Wrap(err)
		}
	}
	args := make([]any, 0, 8+2*len(add))
	args = append(args, l.ID, l.Fence, ttl.Microseconds(), string(o.State), jobs.Micros(o.RunAt), flag(o.Burn), problem, token())
	for _, r := range add {
		if r.Index < 0 {
			return false, invalid("a result is of item %d, which no job has", r.Index)
		}
		args = append(args, r.Index, entry(r))
	}
	word, rest, err := s.call(ctx, s.scripts.write, worked, args...)
	switch {
	case err != nil:
		return false, err
	case word == "lost":
		return false, lost()
	case word == "invalid":
		return false, invalid("a result is of an item that the job does not have")
	case word != "ok" || len(rest) != 1:
		return false, damaged(errReply)
	}
	return rest[0] == int64(1), nil
}

// Change implements jobs.Queue.
func (s *Store) Change(ctx context.Context, id string, c jobs.Change) (*jobs.Job, error) {
	if c != jobs.Cancel && c != jobs.Retry && c != jobs.Told {
		return nil, invalid("%q is no change of a job", c)
	}
	if id == "" || len(id) > longestID {
		return nil, notFound()
	}
	word, rest, err := s.call(ctx, s.scripts.change, asked, id, string(c), token())
	switch {
	case err != nil:
		return nil, err
	case word == "none":
		return nil, notFound()
	case len(rest) != 1:
		return nil, damaged(errReply)
	case word == "conflict":
		return nil, conflict("the job is %v, which does not go with %s", rest[0], c)
	}
	j, _, err := decode(id, rest[0], true)
	return j, err
}

func lost() *fault.Error {
	return fault.New(fault.Conflict, "lease_lost", "the job is no longer this worker's")
}

func conflict(format string, args ...any) *fault.Error {
	return fault.New(fault.Conflict, "conflict", format, args...)
}
