package jobs

import (
	"path/filepath"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

func TestFakeTriton(t *testing.T) { load.ServeFake(t) }

// TestEnqueueAtARate prints how long it takes to hand in a job at a gateway with SQLite, 200 times a second, while its workers work on what comes.
func TestEnqueueAtARate(t *testing.T) {
	rate, lasting := 50.0, time.Second
	if *full {
		rate, lasting = 200, 30*time.Second
	}
	_, fake := load.Fake(t, 16, 5*time.Millisecond, "")
	server := parts.Serve(t, "--triton", fake, "GATEWAY_LOG__LEVEL=error", "GATEWAY_JOBS__QUEUE=sqlite:"+filepath.Join(t.TempDir(), "jobs.db"))
	gate := NewGate(load.FakeModel, server.HTTP)
	defer gate.Close()
	submit := gate.Submit(256) // 1 KB of JSON
	warm := load.Open(t.Context(), rate, lasting/5, 1000, submit)
	r := load.Open(t.Context(), rate, lasting, 1000, submit)
	t.Logf("%.0f/s for %v: %d accepted, %d not, %d not made; p50 %v, p99 %v, most %v", rate, lasting, r.Count(load.Answered),
		len(r.Samples)-r.Count(load.Answered), r.Unmade, r.Quantile(0.5), r.Quantile(0.99), r.Quantile(1))
	if n := len(gate.IDs()); len(r.Texts) > 0 || n != int(rate*(lasting.Seconds()+lasting.Seconds()/5)) || n != warm.Count(load.Answered)+r.Count(load.Answered) {
		t.Errorf("%d jobs: %v %v", n, warm.Texts, r.Texts)
	}
	for n := range gate.IDs() {
		if s, err := gate.Look(t.Context(), n); err != nil || s.State != "succeeded" || len(s.Result) == 0 {
			t.Fatalf("job %d: %+v, %v", n, s, err)
		}
	}
}
