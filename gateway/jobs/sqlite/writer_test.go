package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"triton-gateway/internal/fault"
)

// blocked holds the writer up until it is released, so that what is asked for meanwhile becomes one group.
func blocked(t *testing.T, s *Store) (release func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.writes.do(context.Background(), func(*tx) error {
			close(in)
			<-out
			return nil
		})
	}()
	<-in
	return func() {
		close(out)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// queue waits until n writes wait.
func queue(s *Store, n int) {
	for len(s.writes.queue) < n {
		runtime.Gosched()
	}
}

// TestGroup commits writes together: one that is refused and one that fails take nothing from the others.
func TestGroup(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	release := blocked(t, s)
	var (
		wait sync.WaitGroup
		errs [10]error
		runs [10]int
	)
	for n := range 10 {
		wait.Go(func() {
			errs[n] = s.writes.do(ctx, func(t *tx) error {
				runs[n]++
				switch n {
				case 3:
					return fault.New(fault.Conflict, "conflict", "refused")
				case 5:
					if err := t.exec(`INSERT INTO trash (seq) VALUES (?)`, 500); err != nil {
						return err
					}
					return fmt.Errorf("failed")
				}
				return t.exec(`INSERT INTO trash (seq) VALUES (?)`, n)
			})
		})
	}
	queue(s, 10)
	release()
	wait.Wait()
	for n, err := range errs {
		want := fault.Kind(255)
		switch n {
		case 3:
			want = fault.Conflict
		case 5:
			want = fault.Unavailable
		}
		if (err != nil) != (want != 255) || err != nil && fault.KindOf(err) != want {
			t.Errorf("write %d: %v", n, err)
		}
		if runs[n] > 2 || runs[n] < 1 {
			t.Errorf("write %d was run %d times", n, runs[n])
		}
	}
	var n, sum int
	if err := s.reads.row(ctx, `SELECT count(*), sum(seq) FROM trash`, nil, &n, &sum); err != nil || n != 8 || sum != 45-3-5 {
		t.Errorf("%d rows of sum %d, %v", n, sum, err)
	}
}

// TestLeft: a caller that leaves while others' writes are under way has written nothing.
func TestLeft(t *testing.T) {
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")})
	release := blocked(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.writes.do(ctx, func(t *tx) error { return t.exec(`INSERT INTO trash (seq) VALUES (1)`) })
	}()
	queue(s, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Canceled {
		t.Errorf("error %v", err)
	}
	release()
	if err := s.writes.do(context.Background(), func(*tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.reads.row(context.Background(), `SELECT count(*) FROM trash`, nil, &n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}
