package memory_test

import (
	"testing"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/gateway/jobs/memory"
)

// TestContract holds the store to what every store promises, on a clock that is set.
func TestContract(t *testing.T) {
	jobstest.Run(t, func(*testing.T) jobstest.Place {
		c := jobstest.NewClock()
		store := memory.New(c.Now)
		return jobstest.Place{Open: func(*testing.T) jobs.Store { return store }, Now: c.Now, Advance: c.Advance}
	})
}
