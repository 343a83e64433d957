package jobs_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/sqlite"
)

// TestOnDisk: two processes on one file, on the real clock; one of them is shut down on the way. Jobs that are handed in at one are done by both, and told
// by the events of either.
func TestOnDisk(t *testing.T) {
	m := &model{took: 2 * time.Millisecond}
	path := filepath.Join(t.TempDir(), "jobs.db")
	open := func() (*jobs.Service, func()) {
		store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		s := jobs.New(jobs.Deps{Store: store, Runner: m, Decoder: decoder{}, Problem: problem, Limits: jobs.Limits{Grace: time.Second}})
		ctx, cancel := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		wait.Go(func() { s.Work(ctx) })
		wait.Go(func() { s.Keep(ctx) })
		var once sync.Once
		stop := func() {
			once.Do(func() {
				cancel()
				wait.Wait()
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		t.Cleanup(stop)
		return s, stop
	}
	one, stopOne := open()
	two, _ := open()
	var ids []string
	for i := range 60 {
		in := submission(fmt.Sprint("a ", i), fmt.Sprint("bad ", i), fmt.Sprint("c ", i))
		in.Key = fmt.Sprint(i)
		j, created, err := one.Submit(t.Context(), in)
		if err != nil || !created {
			t.Fatal(created, err)
		}
		ids = append(ids, j.ID)
		if i == 30 {
			if again, created, err := two.Submit(t.Context(), in); err != nil || created || again.ID != j.ID {
				t.Fatalf("the same key elsewhere: %v, %v", created, err)
			}
		}
	}
	stopOne()
	for i, id := range ids {
		var last jobs.Event
		for e, err := range two.Events(t.Context(), nil, id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			last = e
		}
		if j := last.Job; last.ID != 3 || j.State != jobs.Succeeded || j.Done != 3 || j.Bad != 1 || j.Attempt != 0 {
			t.Fatalf("job %d: %+v", i, j)
		}
		list, err := two.Results(t.Context(), nil, id)
		if err != nil || len(list) != 3 || !list[1].Bad || list[0].Bad || string(list[2].Body) == "" {
			t.Errorf("job %d: results %v, %v", i, list, err)
		}
	}
}
