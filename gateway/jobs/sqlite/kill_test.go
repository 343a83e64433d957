package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
)

// childVariable names the file on which this test program works as a child, until it is killed.
const childVariable = "SQLITE_TEST_CHILD"

// child hands in jobs and does whatever is due, and says so once it is acknowledged.
func child(path string) {
	s, err := Open(context.Background(), Options{Path: path})
	for n := 0; err == nil; n++ {
		err = childRound(s, n)
	}
	fmt.Println("error", err)
	os.Exit(1)
}

func childRound(s *Store, n int) error {
	ctx, id := context.Background(), rand.Text()
	data := []byte(strings.Repeat("input of "+id, 1+n%3*4000)) // some are in files
	sum := sha256.Sum256(data)
	i := jobs.Item{Kind: jobs.Image, Blob: hex.EncodeToString(sum[:]), Size: int64(len(data))}
	if err := s.Put(ctx, i.Blob, data); err != nil {
		return err
	}
	now := time.Now()
	spec := &jobs.Spec{ID: id, Model: "shapes", Priority: priorities[n%3], Items: []jobs.Item{i, i}, Created: now, RunAt: now, ResultTTL: time.Hour, Attempts: 3, Key: id}
	if _, err := s.Create(ctx, spec); err != nil {
		return err
	}
	fmt.Println("created", id)
	list, err := s.Lease(ctx, 2, 50*time.Millisecond)
	if err != nil {
		return err
	}
	for _, j := range list {
		l := jobs.Lease{ID: j.ID, Fence: j.Fence}
		if _, err = s.Extend(ctx, l, time.Minute, []jobs.Result{{Index: 1, Body: []byte(j.ID + "/1")}}); err != nil {
			continue // the other child was faster
		}
		if err := s.Settle(ctx, l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: 0, Body: []byte(j.ID + "/0")}}); err != nil {
			return err
		}
		fmt.Println("settled", j.ID)
	}
	return nil
}

// said is what children have acknowledged.
type said struct {
	created map[string]bool
	settled map[string]int
}

// run runs a child until it has said some lines, and kills it.
func (h *said) run(t *testing.T, path string, lines int) (rest func()) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), childVariable+"="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	all := make(chan []byte, 1)
	go func() {
		var text bytes.Buffer
		r := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := r.ReadString('\n')
			text.WriteString(line)
			if err != nil {
				break
			}
			if n == lines {
				_ = c.Process.Kill() // it may have ended by an error, which its output tells
			}
		}
		_, _ = io.Copy(&text, r)
		all <- text.Bytes()
	}()
	return func() {
		text := <-all
		_ = c.Wait() // killed
		for line := range strings.Lines(string(text)) {
			what, id, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch {
			case !strings.HasSuffix(line, "\n"): // cut off by the kill
			case what == "created":
				h.created[id] = true
			case what == "settled":
				h.settled[id]++
			default:
				t.Errorf("a child said %q", line)
			}
		}
	}
}

// TestKilled kills two processes that work on one file, again and again. What they have acknowledged is there, and nothing is there by halves.
func TestKilled(t *testing.T) {
	path, h := filepath.Join(t.TempDir(), "jobs.db"), &said{map[string]bool{}, map[string]int{}}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	for range 20 { // two kills each
		first, second := h.run(t, path, random.IntN(40)), h.run(t, path, random.IntN(40))
		first()
		second()
		s, err := Open(context.Background(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		verify(t, s, h)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d jobs created, %d settled", len(h.created), len(h.settled))
	if len(h.created) < 100 || len(h.settled) < 50 {
		t.Error("the children have done too little for this to say anything")
	}
}

// verify compares a store with what was acknowledged.
func verify(t *testing.T, s *Store, h *said) {
	t.Helper()
	ctx, found, counted := context.Background(), map[string]*jobs.Job{}, map[jobs.State]int{}
	for f := (jobs.Filter{Limit: 100}); ; {
		page, next, err := s.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page {
			found[j.ID] = j
			counted[j.State]++
			whole(t, s, j.ID)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	for id := range h.created {
		if found[id] == nil {
			t.Errorf("job %s was acknowledged and is lost", id)
		}
	}
	for id, n := range h.settled {
		if j := found[id]; j == nil || j.State != jobs.Succeeded || j.Done != 2 || n != 1 {
			t.Errorf("job %s was settled %d times, and is %+v", id, n, j)
		}
	}
	c, err := s.Count(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if n := c.Jobs[jobs.Realtime][state] + c.Jobs[jobs.Interactive][state] + c.Jobs[jobs.Batch][state]; n != counted[state] {
			t.Errorf("%d jobs are counted as %s, and %d are listed", n, state, counted[state])
		}
	}
	var check string
	if err := s.reads.row(ctx, `PRAGMA integrity_check(5)`, nil, &check); err != nil || check != "ok" {
		t.Errorf("the file: %s, %v", check, err)
	}
}

// whole checks that a job has all its parts.
func whole(t *testing.T, s *Store, id string) {
	t.Helper()
	ctx := context.Background()
	j, err := s.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Results(ctx, id, 0, 10)
	if err != nil || len(results) != j.Done || j.Attempt != 0 || len(j.Items) != 2 || j.Key != id || (j.State == jobs.Succeeded) != (j.Done == 2) {
		t.Errorf("job %+v with %d results, %v", j, len(results), err)
	}
	for n, r := range results {
		if want := fmt.Sprintf("%s/%d", id, 1-n); string(r.Body) != want || r.Index != 1-n {
			t.Errorf("result %d of item %d is %s, want %s", n, r.Index, r.Body, want)
		}
	}
	data, err := s.Blob(ctx, j.Items[0].Blob)
	if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != j.Items[0].Blob {
		t.Errorf("the input of job %s: %d bytes, %v", id, len(data), err)
	}
}
