package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func digestOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// full wants a refusal that names the setting.
func full(t *testing.T, err error, setting string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.TooLarge || e.Code != "job_store_full" || !strings.Contains(e.Detail, setting) {
		t.Errorf("error %v, want job_store_full that names %s", err, setting)
	}
}

// files counts the files of blobs.
func files(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := filepath.WalkDir(s.folder, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMaxBytes(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db"), MaxBytes: 100_000}), context.Background()
	small, large := strings.Repeat("s", 30_000), strings.Repeat("l", 70_000)
	item(t, s, small)
	item(t, s, large) // exactly full
	item(t, s, small) // known: takes no room
	item(t, s, "")
	for _, data := range []string{"x", large + "x", strings.Repeat("y", 1<<20)} {
		full(t, s.Put(ctx, digestOf(data), []byte(data)), "jobs.max_bytes")
	}
	c, err := s.Count(ctx)
	if err != nil || c.Bytes != 100_000 {
		t.Errorf("%d bytes, %v", c.Bytes, err)
	}
	if n := files(t, s); n != 1 {
		t.Errorf("%d files, want that of the large blob", n)
	}
}

func TestMaxJobs(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db"), MaxJobs: 3}), context.Background()
	i := item(t, s, "x")
	for n := range 3 {
		sp := spec(n, time.Now(), i)
		sp.Key, sp.Tenant = "k"+string(rune('0'+n)), "t"
		if _, err := s.Create(ctx, sp); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Create(ctx, spec(3, time.Now(), i))
	full(t, err, "jobs.max_jobs")
	again := spec(4, time.Now(), i)
	again.Key, again.Tenant = "k1", "t"
	if j, err := s.Create(ctx, again); err != nil || j == nil || j.ID != spec(1, time.Now(), i).ID {
		t.Errorf("the key of a job that is there: %+v, %v", j, err)
	}
}

func TestCreateBad(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	i := item(t, s, "x")
	for name, edit := range map[string]func(*jobs.Spec){
		"priority": func(s *jobs.Spec) { s.Priority = "urgent" },
		"id":       func(s *jobs.Spec) { s.ID = "" },
		"ttl":      func(s *jobs.Spec) { s.ResultTTL = -1 },
		"digest":   func(s *jobs.Spec) { s.Items[0].Blob = "../../x" },
		"options":  func(s *jobs.Spec) { s.Options = []byte("{") },
	} {
		sp := spec(1, time.Now(), i)
		edit(sp)
		if _, err := s.Create(ctx, sp); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	sp := spec(1, time.Now(), jobs.Item{Kind: jobs.Image, Blob: digestOf("never put")})
	if _, err := s.Create(ctx, sp); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "1 of the job's blobs") {
		t.Errorf("a blob that is not there: %v", err)
	}
	if c, err := s.Count(ctx); err != nil || c.Jobs[jobs.Interactive][jobs.Queued] != 0 {
		t.Errorf("counts %+v, %v", c, err)
	}
}

// pragma sets something on the writer's connection, between writes.
func pragma(t *testing.T, s *Store, text string) {
	t.Helper()
	if err := s.writes.do(context.Background(), func(*tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writes.conn.ExecContext(context.Background(), text); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull gives the file no page more. What fails has written nothing, and goes on when there is room.
func TestDiskFull(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	i := item(t, s, "x")
	if _, err := s.Create(ctx, spec(0, time.Now(), i)); err != nil {
		t.Fatal(err)
	}
	list, err := s.Lease(ctx, 1, time.Minute)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	l := jobs.Lease{ID: list[0].ID, Fence: list[0].Fence}
	pragma(t, s, `PRAGMA max_page_count = 1`) // as many as there are
	var refused int
	for n := 1; n < 200 && refused < 5; n++ {
		if _, err := s.Create(ctx, spec(n, time.Now(), i)); err != nil {
			refused++
			if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "job_store_unavailable: the disk of the job store is full") {
				t.Fatal(err)
			}
			if _, err := s.Get(ctx, spec(n, time.Now(), i).ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("half a job: %v", err)
			}
		}
	}
	if refused != 5 {
		t.Fatal("the file has no end")
	}
	body := []byte(strings.Repeat("r", 100_000))
	if err := s.Settle(ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: body}}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("settle: %v", err)
	}
	if j, err := s.Get(ctx, l.ID); err != nil || j.State != jobs.Running || j.Done != 0 {
		t.Errorf("half settled: %+v, %v", j, err)
	}
	pragma(t, s, `PRAGMA max_page_count = 4294967294`)
	if err := s.Settle(ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: body}}); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	s, ctx := open(t, Options{Path: filepath.Join(t.TempDir(), "jobs.db")}), context.Background()
	i := item(t, s, "x")
	pragma(t, s, `PRAGMA query_only = 1`)
	_, err := s.Create(ctx, spec(1, time.Now(), i))
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "cannot be written") {
		t.Error(err)
	}
}

// TestHeld: another process holds the file for longer than a write waits, and one that waits behind is not held up for as long again.
func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s, other, ctx := open(t, Options{Path: path}), open(t, Options{Path: path}), context.Background()
	i := item(t, s, "x")
	s.writes.patience = 300 * time.Millisecond
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 5)
	go func() {
		done <- other.writes.do(ctx, func(*tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	begin := time.Now()
	for n := range 4 {
		go func() {
			_, err := s.Create(ctx, spec(n, time.Now(), i))
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "held by another process") {
			t.Error(err)
		}
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	if _, err := s.Get(ctx, "x"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("reads wait for nobody: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.writes.patience = time.Minute
	if _, err := s.Create(ctx, spec(9, time.Now(), i)); err != nil {
		t.Error(err)
	}
}
