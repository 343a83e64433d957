package e2e

import (
	"os"
	"testing"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// Nothing grows with the number of calls: goroutines, memory of the process. A million calls with [longEnv], otherwise as many as take seconds.
//
// What leaks grows in every round. Where the garbage collector has got to at its end is chance: so one round without growth is enough.
func TestManyCallsLeaveNothingBehind(t *testing.T) {
	const rounds = 6
	count, room := 10_000, 8.0*(1<<20) // 840 bytes a call
	if os.Getenv(longEnv) == "1" {
		count, room = 1_000_000, 24<<20
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
	first := state(t, g)
	before := first
	for round := 1; ; round++ {
		r := load.Closed(t.Context(), 32, count, 0, call)
		figures(t, "soak", r)
		if r.Count(load.Answered) != count {
			t.Errorf("%d of %d calls answered: %v", r.Count(load.Answered), count, r.Texts)
		}
		var after footprint
		eventually(t, "the goroutines of the calls have ended", func() bool {
			after = state(t, g)
			return after.goroutines <= first.goroutines+8
		})
		t.Logf("before %+v, after %d calls %+v", before, count, after)
		if after.resident <= before.resident+room {
			return
		}
		if round == rounds {
			t.Fatalf("each of %d rounds of %d calls took more than %.0f bytes; from %.0f to %.0f", rounds, count, room, first.resident, after.resident)
		}
		before = after
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
