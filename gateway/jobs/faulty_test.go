package jobs_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// faulty is one process's way to a store. It can be cut, and may lose answers of writes that were made.
type faulty struct {
	jobs.Store
	cut  atomic.Bool
	lose atomic.Int64 // one answer of so many; 0: none
	hook func(call string)
}

var _ jobs.Store = (*faulty)(nil)

func (f *faulty) gone() error {
	return fault.New(fault.Unavailable, "job_store_unavailable", "the store is away")
}

// do makes a call, unless the way is cut.
func (f *faulty) do(name string, call func() error) error {
	if f.hook != nil {
		f.hook(name)
	}
	if f.cut.Load() {
		return f.gone()
	}
	err := call()
	if n := f.lose.Load(); n > 0 && rand.Int64N(n) == 0 || f.cut.Load() {
		return f.gone()
	}
	return err
}

func (f *faulty) Create(ctx context.Context, s *jobs.Spec) (j *jobs.Job, err error) {
	err = f.do("create", func() (err error) { j, err = f.Store.Create(ctx, s); return err })
	return j, err
}

func (f *faulty) Get(ctx context.Context, id string) (j *jobs.Job, err error) {
	err = f.do("get", func() (err error) { j, err = f.Store.Get(ctx, id); return err })
	return j, err
}

func (f *faulty) Results(ctx context.Context, id string, from, limit int) (list []jobs.Result, err error) {
	err = f.do("results", func() (err error) { list, err = f.Store.Results(ctx, id, from, limit); return err })
	return list, err
}

func (f *faulty) Lease(ctx context.Context, n int, ttl time.Duration) (list []*jobs.Job, err error) {
	if err = f.do("lease", func() (err error) { list, err = f.Store.Lease(ctx, n, ttl); return err }); err != nil {
		return nil, err
	}
	return list, nil
}

func (f *faulty) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (canceled bool, err error) {
	err = f.do("extend", func() (err error) { canceled, err = f.Store.Extend(ctx, l, ttl, add); return err })
	return canceled && err == nil, err
}

func (f *faulty) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	return f.do("settle", func() error { return f.Store.Settle(ctx, l, o, add) })
}

func (f *faulty) Change(ctx context.Context, id string, c jobs.Change) (j *jobs.Job, err error) {
	err = f.do("change", func() (err error) { j, err = f.Store.Change(ctx, id, c); return err })
	return j, err
}

func (f *faulty) Put(ctx context.Context, digest string, data []byte) error {
	return f.do("put", func() error { return f.Store.Put(ctx, digest, data) })
}

func (f *faulty) Blob(ctx context.Context, digest string) (data []byte, err error) {
	err = f.do("blob", func() (err error) { data, err = f.Store.Blob(ctx, digest); return err })
	return data, err
}

func (f *faulty) Count(ctx context.Context) (c *jobs.Counts, err error) {
	err = f.do("count", func() (err error) { c, err = f.Store.Count(ctx); return err })
	return c, err
}
