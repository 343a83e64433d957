package memory_test

import (
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/gateway/jobs/memory"
)

// TestContract holds the store to what every store promises, on a clock that is set.
func TestContract(t *testing.T) {
	jobstest.Run(t, func(*testing.T) jobstest.Place {
		var (
			mu  sync.Mutex
			now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		)
		clock := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
		store := memory.New(clock)
		return jobstest.Place{
			Open: func(*testing.T) jobs.Store { return store },
			Now:  clock,
			Advance: func(d time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				now = now.Add(d)
			},
		}
	})
}
