package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/hybrid"
	"triton-gateway/gateway/jobs/redis"
	"triton-gateway/gateway/jobs/sqlite"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// counted counts how often a store is asked for work. Of another interface of the store it keeps Wake.
type counted struct {
	jobs.Store
	jobs.Waker
	mu     sync.Mutex
	leases int
}

func (c *counted) Lease(ctx context.Context, n int, ttl time.Duration) ([]*jobs.Job, error) {
	c.mu.Lock()
	c.leases++
	c.mu.Unlock()
	return c.Store.Lease(ctx, n, ttl)
}

// TestWorkersSleepOnRedis: a worker whose queue is empty sleeps, and begins at once what another process hands in.
func TestWorkersSleepOnRedis(t *testing.T) {
	server := parts.Redis(t)
	open := func() *redis.Store {
		s, err := redis.Open(t.Context(), redis.Options{URL: server.URL(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	api := jobs.New(jobs.Deps{Store: open()})
	there := open()
	c := &counted{Store: there, Waker: there}
	t.Cleanup(begin(jobs.New(jobs.Deps{Store: c, Runner: &model{}, Decoder: decoder{}, Problem: problem}).Work))
	var waits []time.Duration
	for i := range 30 {
		pause := time.NewTimer(30 * time.Millisecond)
		<-pause.C
		j, _, err := api.Submit(t.Context(), submission(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if j, err = api.Wait(t.Context(), nil, j.ID, time.Minute); err != nil || j.State != jobs.Succeeded {
			t.Fatal(j, err)
		}
		waits = append(waits, j.Started.Sub(j.Created))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leases > 200 {
		t.Errorf("asked %d times for 30 jobs", c.leases)
	}
	slices.Sort(waits)
	t.Logf("from handed in to begun elsewhere: median %v, most %v; asked %d times", waits[15], waits[29], c.leases)
}

// TestOnHybrid: the engine over a Redis and a file: jobs of all classes, their blobs and their results, by the one that takes them in and another that works.
func TestOnHybrid(t *testing.T) {
	server := parts.Redis(t)
	path := filepath.Join(t.TempDir(), "jobs.db")
	open := func() *jobs.Service {
		near, err := redis.Open(t.Context(), redis.Options{URL: server.URL(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		far, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		store := hybrid.New(near, far, hybrid.Options{Overflow: 5})
		t.Cleanup(func() { _ = store.Close() })
		return jobs.New(jobs.Deps{Store: store, Runner: &model{}, Decoder: decoder{}, Problem: problem})
	}
	api, worker := open(), open()
	classes := []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}
	var ids []string
	for i := range 60 {
		in := submission(fmt.Sprint("a ", i), fmt.Sprint("bad ", i), "same")
		in.Priority, in.Key = classes[i%3], fmt.Sprint("key ", i/2*2)
		j, created, err := api.Submit(t.Context(), in)
		if i%2 == 1 { // the key of the one before, of another class
			refused(t, err, fault.Conflict, "conflict", "header.Idempotency-Key")
			continue
		}
		if err != nil || !created {
			t.Fatal(created, err)
		}
		if again, created, err := worker.Submit(t.Context(), in); err != nil || created || again.ID != j.ID {
			t.Fatalf("the same again: %v, %v", created, err)
		}
		ids = append(ids, j.ID)
	}
	t.Cleanup(begin(worker.Work))
	for i, id := range ids {
		j, err := api.Wait(t.Context(), nil, id, time.Minute)
		if err != nil || j.State != jobs.Succeeded || j.Done != 3 || j.Bad != 1 || j.Attempt != 0 {
			t.Fatalf("job %d: %+v, %v", i, j, err)
		}
		if list, err := api.Results(t.Context(), nil, id); err != nil || len(list) != 3 || !list[1].Bad {
			t.Errorf("job %d: results %v, %v", i, list, err)
		}
	}
	page, next, err := api.List(t.Context(), jobs.Filter{Limit: 30})
	if err != nil || len(page) != len(ids) || next != "" {
		t.Errorf("%d jobs are listed, want %d: %v", len(page), len(ids), err)
	}
	if c, err := api.Store.Count(t.Context()); err != nil || c.Bytes == 0 { // Stats may be a second old
		t.Errorf("%+v, %v", c, err)
	}
}
