package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"triton-gateway/internal/fault"
)

// refuses wants that a path is not opened, and that the public text says so in some words, without the path.
func refuses(t *testing.T, path, words string) {
	t.Helper()
	s, err := Open(context.Background(), Options{Path: path})
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Unavailable || e.Code != "job_store_unavailable" || !strings.Contains(e.Detail, words) {
		t.Errorf("error %v, want one with %q", err, words)
	} else if path != "" && (strings.Contains(e.Detail, path) || !strings.Contains(err.Error(), path)) {
		t.Errorf("the log's text is to name the file, the public one is not: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	refuses(t, "", "has no file")
	refuses(t, folder, "is a folder")
	refuses(t, file("text", bytes.Repeat([]byte("this is no database\n"), 1000)), "damaged")
	refuses(t, filepath.Join(file("plain", nil), "jobs.db"), "is a folder")

	foreign := filepath.Join(folder, "foreign.db")
	alter(t, foreign, `CREATE TABLE people (name TEXT)`)
	refuses(t, foreign, "none of jobs")

	newer := filepath.Join(folder, "newer.db")
	_ = open(t, Options{Path: newer}).Close()
	alter(t, newer, `INSERT INTO schema VALUES (1000, '')`)
	refuses(t, newer, "newer version")
}

func alter(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOpenDamaged breaks pages of a good file, one after the other, and cuts it off: it is refused, or what is there can be used without a panic.
func TestOpenDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := open(t, Options{Path: path})
	preload(t, s, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	try := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(context.Background(), Options{Path: path})
		if err != nil {
			if refused++; fault.KindOf(err) != fault.Unavailable {
				t.Errorf("error %v", err)
			}
			return
		}
		_ = s.Close()
	}
	for page := range len(good) / 4096 {
		bad := bytes.Clone(good)
		for i := range 200 {
			bad[page*4096+i] ^= 0x5a
		}
		try(bad)
	}
	if n := len(good) / 4096; refused < n*9/10 {
		t.Errorf("%d of %d damaged files were refused", refused, n)
	}
	for _, n := range []int{1, 100, 4096, len(good) / 2} {
		try(good[:n])
	}
}

// TestOpenAtOnce: processes that start together make one file between them.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder?", "j%20 #1.db")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			s, err := Open(context.Background(), Options{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Count(context.Background()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v; want the database and the folder of blobs", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestClosed(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	i := item(t, s, "x")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Create(ctx, spec(1, s.options.Now(), i))
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("create: %v", err)
	}
	if _, err := s.Get(ctx, "x"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("get: %v", err)
	}
}

// TestDurable: the settings on which it rests that what is acknowledged survives a loss of power, which no test can bring about.
func TestDurable(t *testing.T) {
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")})
	for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "application_id": "1413966434"} {
		var got string
		err := s.writes.do(context.Background(), func(t *tx) error { return t.row(`PRAGMA `+name, nil, &got) })
		if err != nil || got != want {
			t.Errorf("%s is %s, want %s; %v", name, got, want, err)
		}
	}
}
