package redis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store that is closed with the test.
func open(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// durable starts a Redis that loses nothing.
func durable(tb testing.TB, more ...parts.RedisOption) *parts.RedisServer {
	tb.Helper()
	return parts.Redis(tb, append(more, parts.WithPersistence())...)
}

// direct is a client that goes past the store.
func direct(tb testing.TB, url string) *goredis.Client {
	tb.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	client := goredis.NewClient(o)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// blob stores bytes and gives the item that names them.
func blob(tb testing.TB, s *Store, data string) jobs.Item {
	tb.Helper()
	sum := sha256.Sum256([]byte(data))
	i := jobs.Item{Kind: jobs.Image, Blob: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	if err := s.Put(tb.Context(), i.Blob, []byte(data)); err != nil {
		tb.Fatal(err)
	}
	return i
}

// specOf is a job of these items that may run at once.
func specOf(items ...jobs.Item) *jobs.Spec {
	now := time.Now().Add(-time.Second).UTC().Truncate(time.Millisecond)
	return &jobs.Spec{
		ID: token(), Tenant: "t", Model: "shapes", Priority: jobs.Interactive, Created: now, RunAt: now, ResultTTL: time.Hour, Attempts: 3, Items: items,
	}
}

// add creates a job of one item.
func add(tb testing.TB, s *Store) *jobs.Spec {
	tb.Helper()
	spec := specOf(blob(tb, s, "x"))
	create(tb, s, spec)
	return spec
}

func create(tb testing.TB, s *Store, spec *jobs.Spec) {
	tb.Helper()
	if existing, err := s.Create(tb.Context(), spec); err != nil || existing != nil {
		tb.Fatalf("create: %v, %v", existing, err)
	}
}

// lease takes one job, which has to be the given one.
func lease(tb testing.TB, s *Store, id string) jobs.Lease {
	tb.Helper()
	list, err := s.Lease(tb.Context(), 1, 10*time.Second)
	if err != nil || len(list) != 1 || list[0].ID != id {
		tb.Fatalf("leased %v, %v; want %s", list, err, id)
	}
	return jobs.Lease{ID: id, Fence: list[0].Fence}
}

func wantFault(tb testing.TB, err error, kind fault.Kind, code string) {
	tb.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code || e.Detail == "" {
		tb.Fatalf("error %v, want %d %s", err, kind, code)
	}
}

// journal is a log to look into.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
