package jobs_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/gateway/jobs/redis"
	"triton-gateway/gateway/jobs/sqlite"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// taking is a store that takes jobs with their blobs, on a clock that is set.
type taking interface {
	jobs.Store
	jobs.Taker
}

// takers runs a test on every store that is one. bytes limits the blobs; 0 does not, nor does the store in memory.
func takers(t *testing.T, bytes int64, run func(t *testing.T, s taking, c *jobstest.Clock)) {
	t.Helper()
	open := map[string]func(t *testing.T, now func() time.Time) (taking, error){
		"memory": func(_ *testing.T, now func() time.Time) (taking, error) { return memory.New(now), nil },
		"sqlite": func(t *testing.T, now func() time.Time) (taking, error) {
			return sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), MaxBytes: bytes, Now: now})
		},
		"redis": func(t *testing.T, now func() time.Time) (taking, error) {
			return redis.Open(t.Context(), redis.Options{URL: parts.Redis(t).URL(), MaxBytes: bytes, Now: now, Log: slog.New(slog.DiscardHandler)})
		},
	}
	for name, o := range open {
		if name == "memory" && bytes > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := jobstest.NewClock()
			s, err := o(t, c.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			run(t, s, c)
		})
	}
}

func blobOf(text string) jobs.Blob {
	sum := sha256.Sum256([]byte(text))
	return jobs.Blob{Digest: hex.EncodeToString(sum[:]), Data: []byte(text)}
}

// asked is a job of these blobs.
func asked(id string, at time.Time, blobs ...jobs.Blob) *jobs.Spec {
	s := &jobs.Spec{ID: id, Model: "m", Priority: jobs.Interactive, Created: at, RunAt: at, ResultTTL: time.Minute, Attempts: 1}
	for _, b := range blobs {
		s.Items = append(s.Items, jobs.Item{Kind: jobs.Image, Blob: b.Digest, Size: int64(len(b.Data))})
	}
	return s
}

func holds(t *testing.T, s jobs.Store, b jobs.Blob) {
	t.Helper()
	if data, err := s.Blob(t.Context(), b.Digest); err != nil || string(data) != string(b.Data) {
		t.Errorf("blob %.20q: %d bytes, %v", b.Data, len(data), err)
	}
}

func lacks(t *testing.T, s jobs.Store, b jobs.Blob) {
	t.Helper()
	if _, err := s.Blob(t.Context(), b.Digest); fault.KindOf(err) != fault.NotFound {
		t.Errorf("blob %.20q: %v", b.Data, err)
	}
}

func bytesOf(t *testing.T, s jobs.Store) int64 {
	t.Helper()
	c, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.Bytes
}

// sweep deletes all that is over.
func sweep(t *testing.T, s jobs.Store) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTake: a job and its blobs come together, in their place, and go together: a blob goes an hour after it was put, when no job names it.
func TestTake(t *testing.T) {
	takers(t, 0, func(t *testing.T, s taking, c *jobstest.Clock) {
		ctx := t.Context()
		a, b, before, empty := blobOf("a"), blobOf(strings.Repeat("b", 60_000)), blobOf("before"), blobOf("")
		if err := s.Put(ctx, before.Digest, before.Data); err != nil {
			t.Fatal(err)
		}
		for i, blobs := range [][]jobs.Blob{{a}, {a, b}, {}, {empty}} {
			spec := asked(fmt.Sprint("job ", i), c.Now(), append(blobs, before)...)
			if existing, place, err := s.Take(ctx, spec, blobs); existing != nil || place != i || err != nil {
				t.Fatalf("job %d: %v, place %d, %v", i, existing, place, err)
			}
			j, err := s.Get(ctx, spec.ID)
			if err != nil || j.State != jobs.Queued || j.Place != i || !slices.Equal(j.Items, spec.Items) {
				t.Fatalf("job %d: %+v, %v", i, j, err)
			}
			c.Advance(time.Millisecond)
		}
		for _, x := range []jobs.Blob{a, b, before, empty} {
			holds(t, s, x)
		}
		if n := bytesOf(t, s); n != 60_007 {
			t.Errorf("%d bytes", n)
		}
		for i, gone := range []struct{ keep, lose []jobs.Blob }{{[]jobs.Blob{a, b}, nil}, {[]jobs.Blob{before, empty}, []jobs.Blob{a, b}}} {
			if _, err := s.Change(ctx, fmt.Sprint("job ", i), jobs.Cancel); err != nil {
				t.Fatal(err)
			}
			c.Advance(2 * time.Hour)
			sweep(t, s)
			for _, x := range gone.keep {
				holds(t, s, x)
			}
			for _, x := range gone.lose {
				lacks(t, s, x)
			}
		}
		if n := bytesOf(t, s); n != 6 {
			t.Errorf("%d bytes are left", n)
		}
	})
}

// TestTakeIsNew: a blob that waits to be swept is as good as new once a job was taken with it.
func TestTakeIsNew(t *testing.T) {
	takers(t, 0, func(t *testing.T, s taking, c *jobstest.Clock) {
		a := blobOf("a")
		if err := s.Put(t.Context(), a.Digest, a.Data); err != nil {
			t.Fatal(err)
		}
		c.Advance(59 * time.Minute)
		if _, _, err := s.Take(t.Context(), asked("one", c.Now(), a), []jobs.Blob{a}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Change(t.Context(), "one", jobs.Cancel); err != nil {
			t.Fatal(err)
		}
		c.Advance(10 * time.Minute) // the job is over, and the first Put is an hour ago
		sweep(t, s)
		holds(t, s, a)
		c.Advance(time.Hour)
		sweep(t, s)
		lacks(t, s, a)
	})
}

// TestTakeIsRefused: where the job is not taken, its blobs are not either.
func TestTakeIsRefused(t *testing.T) {
	takers(t, 0, func(t *testing.T, s taking, c *jobstest.Clock) {
		a, b := blobOf("a"), blobOf("b")
		spec := asked("one", c.Now(), a)
		spec.Key = "key"
		if _, _, err := s.Take(t.Context(), spec, []jobs.Blob{a}); err != nil {
			t.Fatal(err)
		}
		again := asked("two", c.Now(), b)
		again.Key = "key"
		existing, _, err := s.Take(t.Context(), again, []jobs.Blob{b})
		if err != nil || existing == nil || existing.ID != "one" || len(existing.Items) != 1 {
			t.Fatalf("the same key: %+v, %v", existing, err)
		}
		lacks(t, s, b)
		_, _, err = s.Take(t.Context(), asked("one", c.Now(), b), []jobs.Blob{b})
		refused(t, err, fault.Conflict, "conflict", "")
		lacks(t, s, b)
		for _, digest := range []string{"", "x", strings.Repeat("A", 64), strings.Repeat("a", 63)} {
			_, _, err = s.Take(t.Context(), asked("three", c.Now(), a), []jobs.Blob{{Digest: digest, Data: []byte("x")}})
			refused(t, err, fault.Invalid, "invalid_request", "")
		}
		if _, err := s.Get(t.Context(), "three"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a refused job: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err = s.Take(ctx, asked("four", c.Now(), b), []jobs.Blob{b}); fault.KindOf(err) != fault.Canceled {
			t.Errorf("for a caller who has left: %v", err)
		}
		lacks(t, s, b)
		if n := bytesOf(t, s); n != 1 {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestTakeWhereItIsFull: the limit counts what is new.
func TestTakeWhereItIsFull(t *testing.T) {
	takers(t, 100, func(t *testing.T, s taking, c *jobstest.Clock) {
		a, b, last := blobOf(strings.Repeat("a", 60)), blobOf(strings.Repeat("b", 41)), blobOf(strings.Repeat("c", 40))
		for i, blobs := range [][]jobs.Blob{{a}, {a, b}, {b}, {a, last}, {a, last}} {
			_, _, err := s.Take(t.Context(), asked(fmt.Sprint(i), c.Now(), blobs...), blobs)
			if i != 1 && i != 2 {
				if err != nil {
					t.Fatal(i, err)
				}
				continue
			}
			refused(t, err, fault.TooLarge, "job_store_full", "")
			lacks(t, s, b)
			if _, err := s.Get(t.Context(), fmt.Sprint(i)); fault.KindOf(err) != fault.NotFound {
				t.Errorf("job %d: %v", i, err)
			}
		}
		if n := bytesOf(t, s); n != 100 {
			t.Errorf("%d bytes", n)
		}
	})
}

// TestTakeTogether: many callers with the same and other blobs leave one of each, and every job.
func TestTakeTogether(t *testing.T) {
	takers(t, 0, func(t *testing.T, s taking, c *jobstest.Clock) {
		var wait sync.WaitGroup
		for w := range 8 {
			wait.Go(func() {
				for i := range 25 {
					blobs := []jobs.Blob{blobOf(fmt.Sprint("blob ", rand.IntN(20))), blobOf(fmt.Sprint("own ", w, " ", i))}
					if _, _, err := s.Take(t.Context(), asked(fmt.Sprint(w, " ", i), c.Now(), blobs...), blobs); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		counts, err := s.Count(t.Context())
		if err != nil || counts.Jobs[jobs.Interactive][jobs.Queued] != 200 {
			t.Fatalf("%+v, %v", counts, err)
		}
		for w := range 8 {
			for i := range 25 {
				holds(t, s, blobOf(fmt.Sprint("own ", w, " ", i)))
				if _, err := s.Change(t.Context(), fmt.Sprint(w, " ", i), jobs.Cancel); err != nil {
					t.Fatal(err)
				}
			}
		}
		c.Advance(2 * time.Hour)
		sweep(t, s)
		if n := bytesOf(t, s); n != 0 {
			t.Errorf("%d bytes are left", n)
		}
	})
}
