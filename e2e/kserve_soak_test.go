package e2e

import (
	"os"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// Nothing grows with the number of calls: goroutines, memory of the process. A million calls with [longEnv], otherwise as many as take seconds.
func TestManyCallsLeaveNothingBehind(t *testing.T) {
	count := 10_000
	if os.Getenv(longEnv) == "1" {
		count = 1_000_000
	}
	_, fake := load.Fake(t, 0, 0, "")
	g := parts.Serve(t, "--triton", fake)
	client, err := load.Dial(g.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := client.Call(load.Floats(load.FakeModel, "IN", 4))
	load.Closed(t.Context(), 32, count/5, 0, call) // the heap, the pools and the histograms find their size
	before := state(t, g)
	r := load.Closed(t.Context(), 32, count, 0, call)
	figures(t, "soak", r)
	if r.Count(load.Answered) != count {
		t.Errorf("%d of %d calls answered: %v", r.Count(load.Answered), count, r.Texts)
	}
	var after footprint
	eventually(t, 10*time.Second, "the goroutines of the calls have ended", func() bool {
		after = state(t, g)
		return after.goroutines <= before.goroutines+8
	})
	t.Logf("before %+v, after %d calls %+v", before, count, after)
	const room = 24 << 20 // a collection's worth; what leaks 100 bytes a call passes it in the long run
	if after.resident > before.resident+room {
		t.Errorf("%d calls took the memory from %.0f to %.0f bytes", count, before.resident, after.resident)
	}
}

// footprint is what a gateway says of itself at /metrics: memory in bytes, of which heap is Go's live one.
type footprint struct{ goroutines, resident, heap float64 }

func state(t *testing.T, g *parts.GatewayServer) footprint {
	t.Helper()
	m, err := load.Metrics("http://" + g.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return footprint{m["go_goroutines"], m["process_resident_memory_bytes"], m["go_memstats_heap_alloc_bytes"]}
}
