package sqs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cloud is a moto server, and a prefix on it that nobody has used.
type cloud struct {
	endpoint string
	options  string // of the URL, as in "&fifo=true"
}

func newCloud(t *testing.T) cloud {
	t.Helper()
	_, endpoint := parts.Moto(t)
	return cloud{endpoint: endpoint}
}

// place makes queues and a table of a prefix of their own, and gives the URL.
func (c cloud) place(t *testing.T) string {
	t.Helper()
	prefix := "t" + token()
	url := "sqs://eu-central-1/" + prefix + "?endpoint=" + c.endpoint + strings.ReplaceAll(c.options, "BUCKET", prefix)
	if _, err := Setup(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// open opens a store that is closed with the test.
func open(tb testing.TB, o Options, edit ...func(*Store)) *Store {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	s.poll, s.spread = 1, 0
	for _, e := range edit {
		e(s)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// sky is a clock that tests move, and the stores that live by it.
type sky struct {
	*jobstest.Clock
	mu     sync.Mutex
	stores []*Store
}

func newSky() *sky { return &sky{Clock: jobstest.NewClock()} }

// Advance moves the clock. SQS lives by another: messages whose leases have ended by ours are made visible.
func (c *sky) Advance(d time.Duration) {
	c.Clock.Advance(d)
	c.mu.Lock()
	now, stores := c.Now(), c.stores
	c.mu.Unlock()
	for _, s := range stores {
		if s.ended.Err() != nil {
			continue
		}
		s.holding.mu.Lock()
		var list []message
		for _, h := range s.holding.leases {
			if !h.message.until.After(now.Add(margin)) {
				list = append(list, h.message)
			}
		}
		s.holding.mu.Unlock()
		for _, m := range list {
			_ = s.hide(context.Background(), m, 0) // it may be gone
		}
	}
}

func (c *sky) open(t *testing.T, url string) *Store {
	t.Helper()
	s := open(t, Options{URL: url, Now: c.Now})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stores = append(c.stores, s)
	return s
}

// blob stores bytes and gives the item that names them.
func blob(tb testing.TB, s *Store, data string) jobs.Item {
	tb.Helper()
	i := jobs.Item{Kind: jobs.Image, Blob: digest([]byte(data)), Size: int64(len(data))}
	if err := s.Put(tb.Context(), i.Blob, []byte(data)); err != nil {
		tb.Fatal(err)
	}
	return i
}

// specOf is a job of these items that may run at once.
func specOf(s *Store, items ...jobs.Item) *jobs.Spec {
	now := s.now().Add(-time.Second).UTC().Truncate(time.Millisecond)
	return &jobs.Spec{
		ID: token(), Tenant: "t", Model: "shapes", Priority: jobs.Interactive, Created: now, RunAt: now, ResultTTL: time.Hour, Attempts: 3, Items: items,
	}
}

func create(tb testing.TB, s *Store, spec *jobs.Spec) {
	tb.Helper()
	if existing, err := s.Create(tb.Context(), spec); err != nil || existing != nil {
		tb.Fatalf("create: %v, %v", existing, err)
	}
}

// add creates a job of one item.
func add(tb testing.TB, s *Store) *jobs.Spec {
	tb.Helper()
	spec := specOf(s, blob(tb, s, "x"))
	create(tb, s, spec)
	return spec
}

// lease takes one job, which has to be the given one.
func lease(tb testing.TB, s *Store, id string, ttl time.Duration) (*jobs.Job, jobs.Lease) {
	tb.Helper()
	var got *jobs.Job
	parts.Until(tb, "job "+id+" is leased", time.Minute, func() bool {
		list, err := s.Lease(tb.Context(), 1, ttl)
		if err != nil {
			tb.Fatal(err)
		}
		if len(list) == 1 {
			got = list[0]
		}
		return got != nil
	})
	if got.ID != id {
		tb.Fatalf("leased %s, want %s", got.ID, id)
	}
	return got, jobs.Lease{ID: id, Fence: got.Fence}
}

func wantFault(tb testing.TB, err error, kind fault.Kind, code string) {
	tb.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || e.Detail == "" {
		tb.Fatalf("error %v, want %d %s", err, kind, code)
	}
}
