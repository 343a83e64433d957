package hybrid_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/hybrid"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/gateway/jobs/redis"
	"triton-gateway/gateway/jobs/sqlite"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract holds two stores in memory to what every store promises.
func TestContract(t *testing.T) {
	jobstest.Run(t, func(*testing.T) jobstest.Place {
		c := jobstest.NewClock()
		near, far := memory.New(c.Now), memory.New(c.Now)
		return jobstest.Place{
			Open:  func(*testing.T) jobs.Store { return hybrid.New(near, far, hybrid.Options{Now: c.Now, Overflow: 3}) },
			Now:   c.Now,
			Loose: true, Advance: c.Advance,
		}
	})
}

// TestContractOnServers does so with a Redis and a file.
func TestContractOnServers(t *testing.T) {
	server := parts.Redis(t)
	client := direct(t, server.URL())
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		c, folder := jobstest.NewClock(), t.TempDir()
		return jobstest.Place{
			Open: func(t *testing.T) jobs.Store {
				near, err := redis.Open(t.Context(), redis.Options{URL: server.URL(), Now: c.Now, Log: quiet()})
				if err != nil {
					t.Fatal(err)
				}
				far, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(folder, "jobs.db"), Now: c.Now})
				if err != nil {
					t.Fatal(err)
				}
				s := hybrid.New(near, far, hybrid.Options{Now: c.Now, Overflow: 3, Log: quiet()})
				t.Cleanup(func() { _ = s.Close() })
				return s
			},
			Now:   c.Now,
			Loose: true, Advance: c.Advance, Many: 200,
		}
	})
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func direct(t *testing.T, url string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// part is a store that may be away, counts its calls, and wants leases of some length.
type part struct {
	*memory.Store
	cut     atomic.Bool
	calls   sync.Map // by name, *atomic.Int32
	term    time.Duration
	granted atomic.Int64 // the ttl of the newest Lease or Extend
	hint    chan struct{}
}

func (p *part) call(name string) error {
	n, _ := p.calls.LoadOrStore(name, new(atomic.Int32))
	n.(*atomic.Int32).Add(1)
	if p.cut.Load() {
		return fault.New(fault.Unavailable, "job_store_unavailable", "the store is away")
	}
	return nil
}

func (p *part) count(name string) int {
	n, _ := p.calls.LoadOrStore(name, new(atomic.Int32))
	return int(n.(*atomic.Int32).Load())
}

func (p *part) Term() time.Duration { return p.term }

func (p *part) Wake(ctx context.Context, timeout time.Duration) bool {
	select {
	case <-p.hint:
		return true
	case <-time.After(timeout):
	case <-ctx.Done():
	}
	return false
}

func (p *part) Create(ctx context.Context, s *jobs.Spec) (*jobs.Job, error) {
	return or(p.call("create"), func() (*jobs.Job, error) { return p.Store.Create(ctx, s) })
}

func (p *part) Get(ctx context.Context, id string) (*jobs.Job, error) {
	return or(p.call("get"), func() (*jobs.Job, error) { return p.Store.Get(ctx, id) })
}

func (p *part) Look(ctx context.Context, id string) (*jobs.Job, error) {
	return or(p.call("look"), func() (*jobs.Job, error) { return p.Store.Look(ctx, id) })
}

func (p *part) ByKey(ctx context.Context, tenant, key string) (*jobs.Job, error) {
	return or(p.call("key"), func() (*jobs.Job, error) { return p.Store.ByKey(ctx, tenant, key) })
}

func (p *part) Results(ctx context.Context, id string, from, limit int) ([]jobs.Result, error) {
	return or(p.call("results"), func() ([]jobs.Result, error) { return p.Store.Results(ctx, id, from, limit) })
}

func (p *part) List(ctx context.Context, f jobs.Filter) (page []*jobs.Job, next string, err error) {
	if err := p.call("list"); err != nil {
		return nil, "", err
	}
	return p.Store.List(ctx, f)
}

func (p *part) Lease(ctx context.Context, n int, ttl time.Duration) ([]*jobs.Job, error) {
	p.granted.Store(int64(ttl))
	return or(p.call("lease"), func() ([]*jobs.Job, error) { return p.Store.Lease(ctx, n, ttl) })
}

func (p *part) Extend(ctx context.Context, l jobs.Lease, ttl time.Duration, add []jobs.Result) (bool, error) {
	p.granted.Store(int64(ttl))
	return or(p.call("extend"), func() (bool, error) { return p.Store.Extend(ctx, l, ttl, add) })
}

func (p *part) Settle(ctx context.Context, l jobs.Lease, o jobs.Outcome, add []jobs.Result) error {
	_, err := or(p.call("settle"), func() (any, error) { return nil, p.Store.Settle(ctx, l, o, add) })
	return err
}

func (p *part) Change(ctx context.Context, id string, c jobs.Change) (*jobs.Job, error) {
	return or(p.call("change"), func() (*jobs.Job, error) { return p.Store.Change(ctx, id, c) })
}

func (p *part) Put(ctx context.Context, digest string, data []byte) error {
	_, err := or(p.call("put"), func() (any, error) { return nil, p.Store.Put(ctx, digest, data) })
	return err
}

func (p *part) Blob(ctx context.Context, digest string) ([]byte, error) {
	return or(p.call("blob"), func() ([]byte, error) { return p.Store.Blob(ctx, digest) })
}

func (p *part) Count(ctx context.Context) (*jobs.Counts, error) {
	return or(p.call("count"), func() (*jobs.Counts, error) { return p.Store.Count(ctx) })
}

func (p *part) Sweep(ctx context.Context) (bool, error) {
	return or(p.call("sweep"), func() (bool, error) { return p.Store.Sweep(ctx) })
}

func or[T any](err error, call func() (T, error)) (got T, _ error) {
	if err != nil {
		return got, err
	}
	return call()
}

// rig is a hybrid of two parts, on a clock that is set.
type rig struct {
	*testing.T
	*hybrid.Store
	*jobstest.Clock
	near, far *part
	n         int
}

func newRig(t *testing.T) *rig {
	c := jobstest.NewClock()
	r := &rig{T: t, Clock: c}
	r.near = &part{Store: memory.New(c.Now), term: 9 * time.Second, hint: make(chan struct{}, 1)}
	r.far = &part{Store: memory.New(c.Now), term: 5 * time.Minute, hint: make(chan struct{}, 1)}
	r.Store = hybrid.New(r.near, r.far, hybrid.Options{Now: c.Now, Log: quiet()})
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) unavailable(err error) {
	r.Helper()
	if !errors.Is(err, &fault.Error{Code: "job_store_unavailable"}) {
		r.Fatalf("error %v, want job_store_unavailable", err)
	}
}

func (r *rig) spec(p jobs.Priority, key string) *jobs.Spec {
	r.n++
	return &jobs.Spec{
		ID: fmt.Sprintf("%032d", r.n), Tenant: "t", Model: "shapes", Priority: p, Key: key, Created: r.Now(), RunAt: r.Now(), ResultTTL: time.Hour, Attempts: 3,
		Items: []jobs.Item{{Kind: jobs.Row, Blob: "b", Size: 1}},
	}
}

// hand hands a job in as the engine does.
func (r *rig) hand(spec *jobs.Spec) (*jobs.Job, error) {
	site, err := r.Choose(r.Context(), spec)
	if err != nil {
		return nil, err
	}
	return site.Create(r.Context(), spec)
}

// add hands a job in and gives its id.
func (r *rig) add(p jobs.Priority) string {
	r.Helper()
	spec := r.spec(p, "")
	existing, err := r.hand(spec)
	r.must(err)
	if existing != nil {
		r.Fatal("it exists")
	}
	return spec.ID
}

// in wants a job in one of the stores alone.
func (r *rig) in(id string, near bool) {
	r.Helper()
	_, n := r.near.Store.Get(r.Context(), id)
	_, f := r.far.Store.Get(r.Context(), id)
	if (n == nil) != near || (f == nil) == near {
		r.Fatalf("job %s: near %v, far %v; want it near: %v", id, n, f, near)
	}
}

func (r *rig) take(n int) []*jobs.Job {
	r.Helper()
	list, err := r.Lease(r.Context(), n, r.Term())
	r.must(err)
	return list
}
