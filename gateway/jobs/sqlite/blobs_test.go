package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/fault"
)

// bigBlob is kept in a file.
func bigBlob(n int) string { return strings.Repeat(string(rune('a'+n)), inline+1) }

// TestBlobFiles: what is larger than inline is in a file, the rest in the database.
func TestBlobFiles(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	item(t, s, bigBlob(0)[:inline])
	if n := files(t, s); n != 0 {
		t.Errorf("%d files", n)
	}
	i := item(t, s, bigBlob(0))
	if n := files(t, s); n != 1 {
		t.Errorf("%d files", n)
	}
	var name string
	if err := s.reads.row(ctx, `SELECT file FROM blobs WHERE file IS NOT NULL`, nil, &name); err != nil || !strings.HasPrefix(name, i.Blob[:2]+"/"+i.Blob+"-") {
		t.Fatal(name, err)
	}
	// Cut off behind the store's back, it is an error; gone, it is not found.
	if err := os.Truncate(filepath.Join(s.folder, name), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Blob(ctx, i.Blob); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("cut off: %v", err)
	}
	if err := os.Remove(filepath.Join(s.folder, name)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Blob(ctx, i.Blob); fault.KindOf(err) != fault.NotFound {
		t.Errorf("gone: %v", err)
	}
}

// TestBlobFolder: a folder that cannot be written is an error, and no row is left.
func TestBlobFolder(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	data := bigBlob(0)
	if err := os.WriteFile(filepath.Join(s.folder, digestOf(data)[:2]), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, digestOf(data), []byte(data)); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "name a file in jobs.queue") {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Blob(ctx, digestOf(data)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("blob: %v", err)
	}
}

// TestPutAtOnce: many put the same blobs through two stores, and one file of each stays.
func TestPutAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	stores := []*Store{open(t, Options{Path: path}), open(t, Options{Path: path})}
	var wait sync.WaitGroup
	for n := range 24 {
		wait.Go(func() {
			data := bigBlob(n / 2 % 3)
			if err := stores[n%2].Put(context.Background(), digestOf(data), []byte(data)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := files(t, stores[0]); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
	if c, err := stores[1].Count(context.Background()); err != nil || c.Bytes != 3*(inline+1) {
		t.Errorf("counts %+v, %v", c, err)
	}
}

// TestPutAgain: a blob that is swept between two looks at it is written anew.
func TestPutAgain(t *testing.T) {
	c := jobstest.NewClock()
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db"), Now: c.Now})
	data := bigBlob(0)
	item(t, s, data)
	c.Advance(2 * time.Hour)
	release := blocked(t, s)
	done := make(chan error, 1)
	go func() {
		_, err := s.Sweep(context.Background())
		done <- err
	}()
	queue(s, 1)
	put := make(chan error, 1)
	go func() { put <- s.Put(context.Background(), digestOf(data), []byte(data)) }()
	queue(s, 2)
	release()
	if err := errors.Join(<-done, <-put); err != nil {
		t.Fatal(err)
	}
	got, err := s.Blob(context.Background(), digestOf(data))
	if err != nil || string(got) != data {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestStrays: files that a crash has left go when they are old; others' files stay.
func TestStrays(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	kept := item(t, s, bigBlob(0)).Blob
	stray := func(name string, age time.Duration) string {
		path := filepath.Join(s.folder, kept[:2], name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old, temp := stray(kept+"-OLD", 3*time.Hour), stray(kept+"-X"+temporary, 3*time.Hour)
	young, foreign := stray(kept+"-YOUNG", time.Hour), stray("README", 100*time.Hour)
	var name string
	if err := s.reads.row(ctx, `SELECT file FROM blobs`, nil, &name); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.folder, name), at, at); err != nil {
		t.Fatal(err)
	}
	for range 256 {
		if _, err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for path, stays := range map[string]bool{old: false, temp: false, young: true, foreign: true, filepath.Join(s.folder, name): true} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) == stays {
			t.Errorf("%s: %v, want that it stays: %v", filepath.Base(path), err, stays)
		}
	}
}

// TestSweepBounded: a job of many results is swept in several calls, and nobody sees a part of it meanwhile.
func TestSweepBounded(t *testing.T) {
	c := jobstest.NewClock()
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db"), Now: c.Now}), context.Background()
	preload(t, s, 3000)
	c.Advance(time.Hour + time.Second)
	more, err := s.Sweep(ctx)
	if err != nil || !more {
		t.Fatal(more, err)
	}
	list, _, err := s.List(ctx, jobs.Filter{Limit: 100})
	if err != nil || len(list) == 0 {
		t.Fatalf("%d jobs, %v", len(list), err)
	}
	for _, j := range list {
		if r, err := s.Results(ctx, j.ID, 0, 10); err != nil || len(r) != 1 {
			t.Fatalf("job with %d results, %v", len(r), err)
		}
	}
	for calls := 0; more; calls++ {
		if more, err = s.Sweep(ctx); err != nil || calls > 50 {
			t.Fatal(calls, err)
		}
	}
	for _, table := range []string{"jobs", "specs", "results", "trash"} {
		var n int
		if err := s.reads.row(ctx, `SELECT count(*) FROM `+table, nil, &n); err != nil || n != 0 {
			t.Errorf("%d rows of %s are left, %v", n, table, err)
		}
	}
}
