// Package memory keeps jobs in this process: what a store has to do, in its shortest form. It exists for tests of what stands on a store, and to see
// what the engine does without a disk; a process that ends loses its jobs.
package memory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Store is jobs in memory.
type Store struct {
	now func() time.Time

	mu    sync.Mutex
	seq   int64
	jobs  map[string]*entry
	keys  map[key]string // to the job's id
	blobs map[string]*blob
}

var (
	_ jobs.Store  = (*Store)(nil)
	_ jobs.Looker = (*Store)(nil)
	_ jobs.Keyed  = (*Store)(nil)
	_ jobs.Taker  = (*Store)(nil)
)

type entry struct {
	jobs.Job
	seq     int64
	end     time.Time // of the lease
	results []jobs.Result
	has     map[int]bool // items with a result
}

type key struct{ tenant, key string }

type blob struct {
	data []byte
	put  time.Time
	jobs int // items that name it
}

// New makes a store. now is its clock; nil: time.Now.
func New(now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, jobs: map[string]*entry{}, keys: map[key]string{}, blobs: map[string]*blob{}}
}

// Close implements jobs.Store. The jobs stay.
func (s *Store) Close() error { return nil }

// enter locks the store, unless the caller has left.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Ended(err, "before the store was asked")
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

func notFound() error {
	return fault.New(fault.NotFound, "job_not_found", "there is no such job; it may have been deleted after its result_ttl")
}

// view is a job as callers get it: their own.
func (s *Store) view(e *entry) *jobs.Job {
	j := e.Job
	j.Items = slices.Clone(e.Items)
	if e.Problem != nil {
		p := *e.Problem
		j.Problem = &p
	}
	if j.Place = 0; j.State == jobs.Queued {
		now := s.now()
		for _, o := range s.jobs {
			if o.State == jobs.Queued && !o.RunAt.After(now) && before(o, e) < 0 {
				j.Place++
			}
		}
	}
	return &j
}

// before compares places in the queue.
func before(a, b *entry) int {
	return cmp.Or(a.RunAt.Add(-a.Priority.Lead()).Compare(b.RunAt.Add(-b.Priority.Lead())), cmp.Compare(a.seq, b.seq))
}

// Create implements jobs.Records.
func (s *Store) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	existing, err := s.admit(spec)
	if existing == nil && err == nil {
		s.add(spec)
	}
	return existing, err
}

// Take implements jobs.Taker.
func (s *Store) Take(ctx context.Context, spec *jobs.Spec, blobs []jobs.Blob) (existing *jobs.Job, place int, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, -1, err
	}
	defer leave()
	for _, b := range blobs {
		if err := checkDigest(b.Digest); err != nil {
			return nil, -1, err
		}
	}
	if existing, err = s.admit(spec); existing != nil || err != nil {
		return existing, -1, err
	}
	for _, b := range blobs {
		s.put(b.Digest, b.Data)
	}
	return nil, s.view(s.add(spec)).Place, nil
}

// admit gives the job that has the Key already, and the error where there is one of the ID. The store is locked.
func (s *Store) admit(spec *jobs.Spec) (*jobs.Job, error) {
	k := key{spec.Tenant, spec.Key}
	if id, used := s.keys[k]; used && spec.Key != "" {
		return s.view(s.jobs[id]), nil
	}
	if s.jobs[spec.ID] != nil {
		return nil, fault.New(fault.Conflict, "conflict", "there is a job of this id")
	}
	return nil, nil
}

// add adds a job that was admitted. The store is locked.
func (s *Store) add(spec *jobs.Spec) *entry {
	s.seq++
	e := &entry{Job: jobs.Job{Spec: *spec, State: jobs.Queued, Total: len(spec.Items), Told: spec.Webhook == ""}, seq: s.seq, has: map[int]bool{}}
	e.Items = slices.Clone(spec.Items)
	s.jobs[spec.ID] = e
	if spec.Key != "" {
		s.keys[key{spec.Tenant, spec.Key}] = spec.ID
	}
	for _, i := range spec.Items {
		if b := s.blobs[i.Blob]; b != nil {
			b.jobs++
		}
	}
	return e
}

// Get implements jobs.Records.
func (s *Store) Get(ctx context.Context, id string) (*jobs.Job, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	e := s.jobs[id]
	if e == nil {
		return nil, notFound()
	}
	return s.view(e), nil
}

// Look implements jobs.Looker.
func (s *Store) Look(ctx context.Context, id string) (*jobs.Job, error) {
	j, err := s.Get(ctx, id)
	if err == nil {
		j.Items = nil
	}
	return j, err
}

// ByKey implements jobs.Keyed.
func (s *Store) ByKey(ctx context.Context, tenant, name string) (*jobs.Job, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	id, used := s.keys[key{tenant, name}]
	leave()
	if !used {
		return nil, notFound()
	}
	return s.Look(ctx, id)
}

// List implements jobs.Records.
func (s *Store) List(ctx context.Context, f jobs.Filter) (page []*jobs.Job, next string, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	from := s.seq + 1
	if f.Cursor != "" {
		n, err := strconv.ParseInt(strings.TrimPrefix(f.Cursor, "c"), 10, 64)
		if err != nil || n < 1 || n > from {
			return nil, "", fault.New(fault.Invalid, "invalid_request", "the cursor is none that a list gave; begin anew without one").At("query.cursor", "unknown")
		}
		from = n
	}
	var found []*entry
	for _, e := range s.jobs {
		if e.seq < from && chosen(e, f) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Compare(b.seq, a.seq) })
	if len(found) > f.Limit {
		found = found[:f.Limit]
		next = "c" + strconv.FormatInt(found[f.Limit-1].seq, 10)
	}
	for _, e := range found {
		j := e.Job
		j.Items, j.Place = nil, -1
		page = append(page, &j)
	}
	return page, next, nil
}

func chosen(e *entry, f jobs.Filter) bool {
	return (f.Tenant == nil || *f.Tenant == e.Tenant) && (f.Model == "" || f.Model == e.Model) && (f.Priority == "" || f.Priority == e.Priority) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State)) && (!f.Untold || e.State.Final() && !e.Told)
}

// Results implements jobs.Records.
func (s *Store) Results(ctx context.Context, id string, from, limit int) ([]jobs.Result, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	e := s.jobs[id]
	if e == nil {
		return nil, notFound()
	}
	from = min(max(from, 0), len(e.results))
	return slices.Clone(e.results[from:min(from+max(limit, 0), len(e.results))]), nil
}
