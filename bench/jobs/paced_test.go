package jobs

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// TestEnqueueAtARate prints how long it takes to hand in a job at a gateway with SQLite, 200 times a second: while its workers work on what comes, and while
// nobody does; and what the disk takes alone.
func TestEnqueueAtARate(t *testing.T) {
	rate, lasting := 50.0, time.Second
	if *full {
		rate, lasting = 200, 30*time.Second
	}
	run := func(t *testing.T, call load.Call) int {
		warm := load.Open(t.Context(), rate, lasting/5, 1000, call)
		r := load.Open(t.Context(), rate, lasting, 1000, call)
		t.Logf("%.0f/s for %v: %d accepted, %d not, %d not made; p50 %v, p99 %v, most %v", rate, lasting, r.Count(load.Answered),
			len(r.Samples)-r.Count(load.Answered), r.Unmade, r.Quantile(0.5), r.Quantile(0.99), r.Quantile(1))
		if len(r.Texts)+len(warm.Texts) > 0 {
			t.Error(warm.Texts, r.Texts)
		}
		return len(warm.Samples) + len(r.Samples)
	}
	_, fake := load.Fake(t, 16, 5*time.Millisecond, "")
	for _, c := range []struct{ name, roles, state string }{{"with its workers", "api,jobs", "succeeded"}, {"nobody works", "api", "queued"}} {
		t.Run(c.name, func(t *testing.T) {
			server := parts.Serve(t, "--triton", fake, "--roles", c.roles, "GATEWAY_LOG__LEVEL=error", "GATEWAY_JOBS__QUEUE=sqlite:"+filepath.Join(t.TempDir(), "jobs.db"))
			gate := NewGate(load.FakeModel, server.HTTP)
			defer gate.Close()
			if n := run(t, gate.Submit(256)); n != len(gate.IDs()) { // 1 KB of JSON
				t.Errorf("%d jobs of %d submissions", len(gate.IDs()), n)
			}
			for n := range gate.IDs() {
				if c.state == "queued" && n == 10 {
					break
				}
				if s, err := gate.Look(t.Context(), n, c.state == "succeeded"); err != nil || s.State != c.state || (s.State == "succeeded") != (len(s.Result) > 0) {
					t.Fatalf("job %d: %+v, %v", n, s, err)
				}
			}
		})
	}
	t.Run("4 KB and a sync", func(t *testing.T) { run(t, sync4k(t)) })
}

// sync4k appends 4 KB to a file and syncs it, one call after the other.
func sync4k(t *testing.T) load.Call {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	var mu sync.Mutex
	page := make([]byte, 4096)
	return func(context.Context, int) (load.Verdict, string) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := file.Write(page); err != nil {
			return load.Failed, err.Error()
		}
		if err := file.Sync(); err != nil {
			return load.Failed, err.Error()
		}
		return load.Answered, ""
	}
}
