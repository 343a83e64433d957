package jobs

import (
	"cmp"
	"context"
	"slices"

	"triton-gateway/internal/fault"
)

// Get gives a job. tenant is whose it has to be; nil: anybody's. Errors: NotFound job_not_found, also for another tenant's job.
func (s *Service) Get(ctx context.Context, tenant *string, id string) (*Job, error) {
	j, err := s.Store.Get(ctx, id)
	return s.seen(j, tenant, err)
}

// seen hides what is another tenant's.
func (s *Service) seen(j *Job, tenant *string, err error) (*Job, error) {
	if err != nil {
		return nil, err
	}
	if tenant != nil && *tenant != j.Tenant {
		return nil, fault.New(fault.NotFound, "job_not_found", "there is no such job; it may have been deleted after its result_ttl")
	}
	s.overhear(j)
	return j, nil
}

// Look is Get, but the job's Items may be missing; Total counts them. It costs the same for a job of ten thousand items as for one of a single one, where the
// store can tell them apart (Looker).
func (s *Service) Look(ctx context.Context, tenant *string, id string) (*Job, error) {
	l, ok := s.Store.(Looker)
	if !ok {
		return s.Get(ctx, tenant, id)
	}
	j, err := l.Look(ctx, id)
	return s.seen(j, tenant, err)
}

// List gives jobs, newest first; dead letters are those that are Failed. Errors: Invalid invalid_request for a bad filter or cursor.
func (s *Service) List(ctx context.Context, f Filter) (page []*Job, next string, err error) {
	if f.Limit < 1 || f.Limit > 1000 {
		return nil, "", invalid("query.limit", "the limit is %d; it is between 1 and 1000", f.Limit)
	}
	for _, state := range f.States {
		if !slices.Contains([]State{Queued, Running, Succeeded, Failed, Canceled, Expired}, state) {
			return nil, "", invalid("query.state", "there is no such state; it is queued, running, succeeded, failed, cancelled or expired")
		}
	}
	if f.Priority != "" && f.Priority != Realtime && f.Priority != Interactive && f.Priority != Batch {
		return nil, "", invalid("query.priority", "there is no such priority; it is realtime, interactive or batch")
	}
	return s.Store.List(ctx, f)
}

// Cancel ends a queued job, and a running one as soon as its worker hears of it. A final one is a Conflict. tenant and errors as of Get.
func (s *Service) Cancel(ctx context.Context, tenant *string, id string) (*Job, error) {
	j, err := s.change(ctx, tenant, id, Cancel)
	if err == nil {
		s.nudge(id)
		if j.State.Final() && j.Webhook != "" {
			s.tells.mine(id)
		}
	}
	return j, err
}

// Retry puts a job that failed, was cancelled or has expired into the queue again. Its good results stay. Another is a Conflict. tenant and errors as of Get.
func (s *Service) Retry(ctx context.Context, tenant *string, id string) (*Job, error) {
	j, err := s.change(ctx, tenant, id, Retry)
	if err == nil {
		s.woken()
	}
	return j, err
}

func (s *Service) change(ctx context.Context, tenant *string, id string, c Change) (*Job, error) {
	if tenant != nil {
		if _, err := s.Look(ctx, tenant, id); err != nil {
			return nil, err
		}
	}
	j, err := s.Store.Change(ctx, id, c)
	if err == nil {
		s.hub.notify(id)
	}
	return j, err
}

// Results gives the results of a job in the order of its items: all that there are. tenant and errors as of Get.
func (s *Service) Results(ctx context.Context, tenant *string, id string) ([]Result, error) {
	j, err := s.Look(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	all := make([]Result, 0, j.Done)
	for {
		page, err := s.Store.Results(ctx, id, len(all), 500)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	slices.SortFunc(all, func(a, b Result) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}
