package redis

import (
	"context"
	"fmt"
	"slices"

	"triton-gateway/gateway/jobs"
)

// Create implements jobs.Records. It may be called again with the same spec after any error: either the job is created, or the call is a Conflict and
// the job is there.
func (s *Store) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	existing, _, err := s.Take(ctx, spec, nil)
	return existing, err
}

// Take implements jobs.Taker, by one script, and so by one write of Redis's log. It may be called again as Create may.
func (s *Store) Take(ctx context.Context, spec *jobs.Spec, blobs []jobs.Blob) (existing *jobs.Job, place int, err error) {
	head, items, err := encode(spec)
	if err != nil {
		return nil, -1, err
	}
	digests, err := blobsOf(spec.Items)
	if err != nil {
		return nil, -1, err
	}
	coming := make([]any, 0, 2*len(blobs))
	for _, b := range blobs {
		if !isDigest(b.Digest) {
			return nil, -1, badDigest()
		}
		coming = append(coming, b.Digest, b.Data)
	}
	held := flag(len(digests) > piece)
	for len(digests) > piece {
		if _, _, err := s.call(ctx, s.scripts.hold, asked, append([]any{spec.ID}, digests[:piece]...)...); err != nil {
			return nil, -1, err
		}
		digests = digests[piece:]
	}
	hook := 0
	if spec.Webhook != "" {
		hook = 1
	}
	word, rest, err := s.call(ctx, s.scripts.create, asked, slices.Concat([]any{
		spec.ID, token(), string(spec.Priority), jobs.Micros(spec.RunAt), jobs.Micros(spec.Deadline), spec.ResultTTL.Microseconds(), spec.Tenant, spec.Model,
		len(spec.Items), head, items, hook, nameOfKey(spec), s.options.MaxJobs, held, s.options.MaxBytes, len(blobs),
	}, coming, digests)...)
	switch {
	case err != nil:
		return nil, -1, err
	case word == "ok" && len(rest) == 1:
		before, ok := rest[0].(int64)
		if !ok {
			before = -1
		}
		return nil, int(before), nil
	case word == "conflict":
		return nil, -1, conflict("there is a job with this id already")
	case word == "full":
		return nil, -1, full(fmt.Sprintf("the job store holds %d jobs already; wait for old ones to be swept, or raise jobs.max_jobs", s.options.MaxJobs))
	case word == "large":
		return nil, -1, s.large()
	case word == "exists" && len(rest) == 2:
		id, _ := rest[0].(string)
		existing, _, err = decode(id, rest[1], true)
		return existing, -1, err
	}
	return nil, -1, damaged(errReply)
}
