package parts

import (
	"strings"
	"testing"
)

func TestPerfAnalyzerMeasuresTriton(t *testing.T) {
	server := triton.Get(t)
	run := Start(t, PerfAnalyzer(t, "-m", "scale", "-i", "grpc", "-u", server.GRPC, "--measurement-mode", "count_windows",
		"--measurement-request-count", "50", "-s", "1000"))
	if code := run.Exit(); code != 0 || !strings.Contains(run.Log(), "Throughput:") {
		t.Errorf("status %d:\n%s", code, run.Log())
	}
}
