package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		child(path)
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens a store that is closed with the test.
func open(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		c, path := jobstest.NewClock(), filepath.Join(t.TempDir(), "jobs.db")
		return jobstest.Place{
			Open:    func(t *testing.T) jobs.Store { return open(t, Options{Path: path, Now: c.Now}) },
			Now:     c.Now,
			Advance: c.Advance,
		}
	})
}
