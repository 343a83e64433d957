package sqs

import (
	"context"

	"triton-gateway/gateway/jobs"
)

// load reads a job as it is. Its failures are those of callers.
func (s *Store) load(ctx context.Context, id string) (*record, error) {
	if !idForm.MatchString(id) {
		return nil, notFound()
	}
	i, err := s.item(ctx, jobKey(id))
	if err != nil {
		return nil, failure(ctx, err)
	}
	return existing(i)
}

// existing reads an item that may be none.
func existing(i item) (*record, error) {
	if len(i) == 0 || str(i, "st") == gone {
		return nil, notFound()
	}
	return decode(i)
}

// Get implements jobs.Records. How many jobs are before one that waits is not known.
func (s *Store) Get(ctx context.Context, id string) (*jobs.Job, error) {
	r, err := s.load(ctx, id)
	if err == nil {
		err = s.fill(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return &r.Job, nil
}

// Look implements jobs.Looker.
func (s *Store) Look(ctx context.Context, id string) (*jobs.Job, error) {
	r, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	return &r.Job, nil
}
