package memory

import (
	"bytes"
	"context"
	"slices"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Lease implements jobs.Queue.
func (s *Store) Lease(ctx context.Context, n int, ttl time.Duration) (list []*jobs.Job, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	now := s.now()
	var due []*entry
	for _, e := range s.jobs {
		free := e.State == jobs.Queued && !e.RunAt.After(now) || e.State == jobs.Running && !e.end.After(now)
		switch {
		case e.State.Final() || !free:
		case e.Canceled:
			e.finish(jobs.Canceled, now)
		case !e.Deadline.IsZero() && !e.Deadline.After(now):
			e.finish(jobs.Expired, now)
		default:
			due = append(due, e)
		}
	}
	slices.SortFunc(due, before)
	for _, e := range due[:min(max(n, 0), len(due))] {
		if e.State == jobs.Running {
			e.Crashes++
		}
		e.State, e.end = jobs.Running, now.Add(ttl)
		e.Fence++
		if e.Started.IsZero() {
			e.Started = now
		}
		list = append(list, s.view(e))
	}
	return list, nil
}

func (e *entry) finish(state jobs.State, now time.Time) {
	e.State, e.Finished = state, now
}

// held gives the job of a lease, and adds results to it.
func (s *Store) held(l jobs.Lease, add []jobs.Result) (*entry, error) {
	e := s.jobs[l.ID]
	switch {
	case e == nil:
		return nil, notFound()
	case e.State != jobs.Running || e.Fence != l.Fence:
		return nil, fault.New(fault.Conflict, "lease_lost", "the lease %d is lost: the job is %s, and its newest lease is %d", l.Fence, e.State, e.Fence)
	}
	for _, r := range add {
		if r.Index < 0 || r.Index >= e.Total {
			return nil, fault.New(fault.Internal, "internal", "a result of item %d, of %d", r.Index, e.Total)
		}
	}
	for _, r := range add {
		if e.has[r.Index] {
			continue
		}
		e.has[r.Index], e.Crashes = true, 0
		r.Body = bytes.Clone(r.Body)
		e.results = append(e.results, r)
	}
	e.count()
	return e, nil
}

func (e *entry) count() {
	e.Done, e.Bad = len(e.results), 0
	for _, r := range e.results {
		if r.Bad {
			e.Bad++
		}
	}
}

// Extend implements jobs.Queue.
func (s *Store) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	e, err := s.held(l, add)
	if err != nil {
		return false, err
	}
	e.end = s.now().Add(ttl)
	return e.Canceled, nil
}

// Settle implements jobs.Queue.
func (s *Store) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if o.State != jobs.Queued && !o.State.Final() {
		return fault.New(fault.Internal, "internal", "a lease cannot end in state %q", o.State)
	}
	e, err := s.held(l, add)
	if err != nil {
		return err
	}
	now := s.now()
	if o.Burn {
		e.Attempt++
	}
	switch {
	case o.State != jobs.Queued:
		e.Problem = o.Problem
		e.finish(o.State, now)
	case e.Canceled:
		e.finish(jobs.Canceled, now)
	default:
		e.State = jobs.Queued
		if o.Problem != nil {
			e.Problem = o.Problem
		}
		if o.RunAt.After(now) {
			e.RunAt = o.RunAt
		}
	}
	return nil
}

// Change implements jobs.Queue.
func (s *Store) Change(ctx context.Context, id string, c jobs.Change) (*jobs.Job, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	e := s.jobs[id]
	if e == nil {
		return nil, notFound()
	}
	now := s.now()
	switch {
	case c == jobs.Cancel && e.State == jobs.Queued:
		e.Canceled = true
		e.finish(jobs.Canceled, now)
	case c == jobs.Cancel && e.State == jobs.Running:
		e.Canceled = true
	case c == jobs.Retry && e.State.Final() && e.State != jobs.Succeeded:
		e.retry(now)
	case c == jobs.Told && e.State.Final():
		e.Told = true
	case c != jobs.Cancel && c != jobs.Retry && c != jobs.Told:
		return nil, fault.New(fault.Invalid, "invalid_request", "a job cannot be changed by %q; it can be by cancel, retry and told", c)
	default:
		return nil, fault.New(fault.Conflict, "conflict", "the job is %s; it cannot be changed by %q", e.State, c)
	}
	return s.view(e), nil
}

// retry makes the job new but for its good results and its fence.
func (e *entry) retry(now time.Time) {
	if !e.Deadline.After(now) {
		e.Deadline = time.Time{}
	}
	e.results = slices.DeleteFunc(slices.Clone(e.results), func(r jobs.Result) bool { return r.Bad })
	clear(e.has)
	for _, r := range e.results {
		e.has[r.Index] = true
	}
	e.count()
	e.State, e.RunAt, e.Attempt, e.Crashes = jobs.Queued, now, 0, 0
	e.Finished, e.Canceled, e.Problem, e.Told = time.Time{}, false, nil, e.Webhook == ""
}
