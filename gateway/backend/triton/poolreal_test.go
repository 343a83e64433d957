package triton

import (
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// TestRealPool: three Tritons under load. One is killed and started again, then one stands still for a while.
func TestRealPool(t *testing.T) {
	repo := copied(t, "noop")
	servers := make([]*parts.TritonServer, 3)
	for i := range servers {
		servers[i] = parts.Triton(t, repo)
	}
	c := clientOf(t, servers[0].GRPC, servers[1].GRPC, servers[2].GRPC)
	statusOf(t, c, "noop")
	const callers = 6
	f := underLoad(t, c, "noop", callers, time.Minute)
	f.more(t, 500)

	servers[1].Kill()
	t.Logf("a killed server was ejected after %v", serves(t, c, 1, false))
	f.more(t, 500)
	if err := servers[1].Restart(); err != nil {
		t.Fatal(err)
	}
	t.Logf("it was back %v after it was ready", serves(t, c, 1, true))
	f.more(t, 500)

	f.slowest.Store(0)
	if err := servers[2].Pause(); err != nil {
		t.Fatal(err)
	}
	t.Logf("a server that hangs was ejected after %v", serves(t, c, 2, false))
	f.more(t, 50) // those that waited for it have ended
	t.Logf("the slowest call while it hung: %v", time.Duration(f.slowest.Swap(0)))
	f.more(t, 1000)
	t.Logf("the slowest call after that: %v", time.Duration(f.slowest.Load()))
	if err := servers[2].Resume(); err != nil {
		t.Fatal(err)
	}
	t.Logf("back %v after it went on", serves(t, c, 2, true))
	f.more(t, 500)
	f.stop()
	failed, all := f.errors.Load(), f.calls.Load()
	t.Logf("%d of %d calls failed", failed, all)
	if failed > callers { // those that were under way when one was killed, where the others are at their limit
		t.Errorf("the last: %v", f.last.Load())
	}
	for _, e := range c.Endpoints() {
		t.Logf("%+v", e)
	}
}
