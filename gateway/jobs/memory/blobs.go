package memory

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// unnamed is how long a blob stays that no job names.
const unnamed = time.Hour

// Put implements jobs.Blobs.
func (s *Store) Put(ctx context.Context, digest string, data []byte) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := checkDigest(digest); err != nil {
		return err
	}
	s.put(digest, data)
	return nil
}

func checkDigest(digest string) error {
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != 32 || digest != strings.ToLower(digest) {
		return fault.New(fault.Invalid, "invalid_request", "a blob's digest is its SHA-256 in 64 lower-case hex digits")
	}
	return nil
}

// put stores a blob, or notes that it was put again. The store is locked.
func (s *Store) put(digest string, data []byte) {
	b := s.blobs[digest]
	if b == nil {
		b = &blob{data: append([]byte{}, data...)}
		s.blobs[digest] = b
	}
	b.put = s.now()
}

// Blob implements jobs.Blobs.
func (s *Store) Blob(ctx context.Context, digest string) ([]byte, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	b := s.blobs[digest]
	if b == nil {
		return nil, fault.New(fault.NotFound, "blob_not_found", "the bytes are not in the store")
	}
	return bytes.Clone(b.data), nil
}

// Sweep implements jobs.Blobs.
func (s *Store) Sweep(ctx context.Context) (more bool, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	now := s.now()
	for id, e := range s.jobs {
		if !e.State.Final() || e.Finished.Add(e.ResultTTL).After(now) {
			continue
		}
		delete(s.jobs, id)
		delete(s.keys, key{e.Tenant, e.Key})
		for _, i := range e.Items {
			if b := s.blobs[i.Blob]; b != nil {
				b.jobs--
			}
		}
	}
	for digest, b := range s.blobs {
		if b.jobs == 0 && !b.put.Add(unnamed).After(now) {
			delete(s.blobs, digest)
		}
	}
	return false, nil
}

// Count implements jobs.Blobs.
func (s *Store) Count(ctx context.Context) (*jobs.Counts, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	c := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}}
	now := s.now()
	for _, e := range s.jobs {
		if c.Jobs[e.Priority] == nil {
			c.Jobs[e.Priority] = map[jobs.State]int{}
		}
		c.Jobs[e.Priority][e.State]++
		if at, ok := c.Oldest[e.Priority]; e.State == jobs.Queued && !e.RunAt.After(now) && (!ok || e.RunAt.Before(at)) {
			c.Oldest[e.Priority] = e.RunAt
		}
	}
	for _, b := range s.blobs {
		c.Bytes += int64(len(b.data))
	}
	return c, nil
}
