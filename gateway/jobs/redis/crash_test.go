package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestKilled: Redis is killed again and again while jobs are created and done. Whatever was acknowledged is there afterwards: each job that was
// created ends succeeded, with one result for each item, and the result is the one whose writing was acknowledged.
func TestKilled(t *testing.T) {
	kills := 8
	if testing.Short() {
		kills = 3
	}
	server := durable(t)
	s := open(t, Options{URL: server.URL()})
	item := blob(t, s, "x")
	ctx, stop := context.WithTimeout(t.Context(), 8*time.Minute)
	defer stop()
	var (
		history  sync.Map // id -> the body whose Settle was acknowledged, "" before
		accepted atomic.Int64
		killing  atomic.Bool
		over     atomic.Bool
		callers  sync.WaitGroup
		workers  sync.WaitGroup
	)
	away := func(err error) {
		if kind := fault.KindOf(err); kind != fault.Unavailable && !errors.Is(err, context.Canceled) {
			t.Errorf("while Redis is killed: %v", err)
		}
	}
	killing.Store(true)
	for range 3 {
		callers.Go(func() {
			for killing.Load() {
				spec := specOf(item, item)
				for {
					_, err := s.Create(ctx, spec)
					if err == nil || fault.KindOf(err) == fault.Conflict { // a Conflict: an earlier try has done it
						history.LoadOrStore(spec.ID, "")
						accepted.Add(1)
						break
					}
					if away(err); ctx.Err() != nil {
						return
					}
				}
			}
		})
	}
	for w := range 3 {
		workers.Go(func() {
			for n := 0; ctx.Err() == nil && !over.Load(); n++ {
				list, err := s.Lease(ctx, 4, 500*time.Millisecond)
				if err != nil {
					away(err)
				} else if len(list) == 0 {
					s.Wake(ctx, 100*time.Millisecond)
				}
				for _, j := range list {
					body := fmt.Sprintf(`"%d/%d"`, w, n)
					err := s.Settle(ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded},
						[]jobs.Result{{Index: 1, Body: []byte(body)}, {Index: 0, Body: []byte(body)}})
					if err == nil {
						history.Store(j.ID, body)
					} else if fault.KindOf(err) != fault.Conflict { // a Conflict: another has it
						away(err)
					}
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(3, 4))
	for k := range kills {
		mark := accepted.Load() + int64(20+r.IntN(60))
		parts.Until(t, "jobs are accepted", 2*time.Minute, func() bool { return accepted.Load() >= mark })
		server.Kill()
		if err := server.Restart(); err != nil {
			t.Fatalf("after kill %d: %v", k, err)
		}
	}
	killing.Store(false)
	callers.Wait()
	parts.Until(t, "all jobs are done", time.Minute, func() bool {
		c, err := s.Count(ctx)
		return err == nil && c.Jobs[jobs.Interactive][jobs.Queued]+c.Jobs[jobs.Interactive][jobs.Running] == 0
	})
	over.Store(true)
	workers.Wait()
	n := 0
	history.Range(func(id, body any) bool {
		n++
		j, err := s.Get(ctx, id.(string))
		if err != nil || j.State != jobs.Succeeded || j.Done != 2 || j.Attempt != 0 {
			t.Errorf("job %s: %+v, %v", id, j, err)
			return true
		}
		list, err := s.Results(ctx, id.(string), 0, 10)
		if err != nil || len(list) != 2 || list[0].Index != 1 || list[1].Index != 0 || string(list[0].Body) != string(list[1].Body) {
			t.Errorf("job %s: results %v, %v", id, list, err)
		} else if body != "" && string(list[0].Body) != body {
			t.Errorf("job %s: result %s, and %s was acknowledged", id, list[0].Body, body)
		}
		return true
	})
	t.Logf("%d jobs, %d kills", n, kills)
	audit(t, s)
}
