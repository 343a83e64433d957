package e2e

import (
	"context"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// A Triton that can do 200 calls a second is sent a thousand: what it can do is answered, all else is told at once when to come again, and soon after all
// is as it was. bench/overload has the long run.
func TestOverload(t *testing.T) {
	const capacity = 200 // 4 workers, 20 ms
	_, fake := load.Fake(t, 4, 20*time.Millisecond, "")
	g := parts.Serve(t, "--triton", fake, "GATEWAY_LIMITS__CONNECTIONS=8192", "GATEWAY_LIMITS__CONNECTIONS_PER_ADDRESS=8192") // all callers are here
	body, header := load.FloatsHTTP("IN", 4)
	client := load.NewHTTP("http://"+g.HTTP+"/v2/models/"+load.FakeModel+"/infer", header, 256)
	defer client.Close()
	call := client.Call(body)
	load.Closed(t.Context(), 8, 0, time.Second, call) // the limits find their place
	usual := load.Open(t.Context(), 0.8*capacity, 2*time.Second, 1000, call)
	figures(t, "0.8 of the capacity", usual)
	if usual.Count(load.Answered) != len(usual.Samples) {
		t.Errorf("%d of %d calls answered below the capacity: %v", usual.Count(load.Answered), len(usual.Samples), usual.Texts)
	}
	over := load.Open(t.Context(), 5*capacity, 4*time.Second, 5000, call)
	figures(t, "5 times the capacity", over)
	t.Logf("refused: p50 %v, p99 %v", over.Quantile(0.5, load.Rejected), over.Quantile(0.99, load.Rejected))
	if n := over.Count(load.Answered); n < capacity*4*7/10 {
		t.Errorf("%d calls answered in 4 s, of %d that the Triton can do", n, capacity*4)
	}
	if bad := over.Count(load.Bare, load.Late, load.Down, load.Failed); bad > 0 || over.Count(load.Rejected) < len(over.Samples)/2 {
		t.Errorf("%d calls refused with Retry-After, %d otherwise: %v", over.Count(load.Rejected), bad, over.Texts)
	}
	eventually(t, 5*time.Second, "all is as it was", func() bool {
		after := load.Open(context.WithoutCancel(t.Context()), 0.8*capacity, 500*time.Millisecond, 1000, call)
		return after.Count(load.Answered) == len(after.Samples)
	})
}
