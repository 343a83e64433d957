package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func FuzzCursor(f *testing.F) {
	for _, c := range []string{"", "before-1", "before-", "before--1", "before-0", "before-1y2p0ij32e8e7", "before-1y2p0ij32e8e8", "1", "before-1 or 1=1", "before-\x00"} {
		f.Add(c)
	}
	s := open(f, Options{Path: filepath.Join(f.TempDir(), "jobs.db")})
	i := item(f, s, "x")
	for n := range 3 {
		if _, err := s.Create(context.Background(), spec(n, time.Now(), i)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, c string) {
		page, next, err := s.List(context.Background(), jobs.Filter{Limit: 2, Cursor: c})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || len(page) != 0 || next != "" {
				t.Errorf("cursor %q: %d jobs, %v", c, len(page), err)
			}
			return
		}
		if c != "" && !strings.HasPrefix(c, cursor) || next != "" && len(page) != 2 || len(page) > 2 {
			t.Errorf("cursor %q gave %d jobs and %q", c, len(page), next)
		}
	})
}

// TestListLimits: a limit out of range is brought into it, and a class that is none has no jobs.
func TestListLimits(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	preload(t, s, 1200)
	for limit, want := range map[int]int{-1: 1, 0: 1, 7: 7, 1000: 1000, 1 << 40: 1000} {
		page, next, err := s.List(ctx, jobs.Filter{Limit: limit})
		if err != nil || len(page) != want || next == "" {
			t.Errorf("limit %d: %d jobs, next %q, %v", limit, len(page), next, err)
		}
	}
	if page, next, err := s.List(ctx, jobs.Filter{Limit: 10, Priority: "urgent"}); err != nil || len(page) != 0 || next != "" {
		t.Errorf("%d jobs of no class, %q, %v", len(page), next, err)
	}
}

// TestPlaceFar: a place that is too far to be counted out is not known.
func TestPlaceFar(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	now := time.Now().Add(-time.Hour)
	i := item(t, s, "x")
	last := spec(1_000_000, now.Add(time.Minute), i)
	if _, err := s.Create(ctx, last); err != nil {
		t.Fatal(err)
	}
	fill := func(n int) {
		t.Helper()
		// Rows without a spec, which only the count sees.
		err := s.writes.do(ctx, func(t *tx) error {
			return t.exec(`WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?1)
				INSERT INTO jobs (id, tenant, model, priority, state, run_at, ttl, total, told, hook)
				SELECT 'fill ' || ?1 || ' ' || n, '', 'm', n % 3, 0, ?2 - n, 0, 0, 1, 0 FROM c`, n, now.UnixMicro()-time.Minute.Microseconds())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill(farthest)
	if j, err := s.Get(ctx, last.ID); err != nil || j.Place != farthest {
		t.Errorf("place %d, %v; want %d", j.Place, err, farthest)
	}
	fill(1)
	if j, err := s.Get(ctx, last.ID); err != nil || j.Place != -1 {
		t.Errorf("place %d, %v; want -1", j.Place, err)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "write", Path: "/secret", Err: syscall.ENOSPC}, "disk of the job store is full"},
		{&fs.PathError{Op: "open", Path: "/secret", Err: syscall.EACCES}, "give this program the right"},
		{fmt.Errorf("x: %w", syscall.EROFS), "give this program the right"},
		{errors.New("/secret"), "the log has the cause"},
	} {
		err := failure(context.Background(), c.err)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Unavailable || !strings.Contains(e.Detail, c.want) || strings.Contains(e.Detail, "secret") || !errors.Is(err, c.err) || e.RetryAfter == 0 {
			t.Errorf("%v became %v", c.err, err)
		}
	}
	if err := failure(context.Background(), nil); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	if err := failure(ctx, errors.New("interrupted")); fault.KindOf(err) != fault.Timeout {
		t.Errorf("past the deadline: %v", err)
	}
}
