package jobs_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// slowStore is one whose figures take long, and are not there.
type slowStore struct {
	jobs.Store
	mu    sync.Mutex
	asked int
}

func (s *slowStore) Count(ctx context.Context) (*jobs.Counts, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	select {
	case <-time.After(3 * time.Second):
		return nil, fault.New(fault.Unavailable, "job_store_unavailable", "away")
	case <-ctx.Done():
		return nil, fault.Ended(ctx.Err(), "while the store was asked")
	}
}

// Many who hand in while the store is away are refused together, not one after the other.
func TestManyAreRefusedTogether(t *testing.T) {
	bubble(t, func(r *rig) {
		slow := &slowStore{Store: r.store}
		r.Store = slow
		began := time.Now()
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() {
				_, _, err := r.Submit(r.Context(), submission("a"))
				refused(r.T, err, fault.Unavailable, "job_store_unavailable", "")
			})
		}
		wait.Wait()
		if took := time.Since(began); took != 3*time.Second || slow.asked != 1 {
			r.Errorf("the last one was refused after %v and %d questions", took, slow.asked)
		}
		// Who leaves does not wait, and does not speak for others.
		time.Sleep(time.Second) // of the bubble: what was learned is forgotten
		hasty, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if _, err := r.Stats(hasty); fault.KindOf(err) != fault.Timeout {
			r.Errorf("%v", err)
		}
		if _, err := r.Stats(r.Context()); fault.KindOf(err) != fault.Unavailable || slow.asked != 3 {
			r.Errorf("%v after %d questions", err, slow.asked)
		}
	})
}
