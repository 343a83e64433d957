package triton

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
)

// heldMemory counts its holders; whoever asks of it later has not heeded the count.
type heldMemory struct{ holders atomic.Int64 }

func (m *heldMemory) Retain()  { m.holders.Add(1) }
func (m *heldMemory) Release() { m.holders.Add(-1) }

// warm makes enough calls for the tail to be known, and for a budget of some hedges.
func warm(t *testing.T, c *Client, servers []*tritontest.Server) {
	t.Helper()
	statusOf(t, c, "m")
	infers(t, c, 2*hedgeEvery)
	if c.pools.known("m", "1").tail.slow.Load() == 0 {
		t.Fatal("no tail")
	}
}

func TestASlowCallIsHedged(t *testing.T) {
	c, servers := fakes(t, 2, func(c *Config) { c.Hedge = []string{"m"} })
	warm(t, c, servers)
	ended := make(chan error, 1)
	release := make(chan struct{})
	for _, s := range servers { // the first call hangs wherever it goes; the second answers
		s.Fail(tritontest.Fault{Times: 1, Until: release})
	}
	defer close(release)
	servers[1].Heal()
	servers[1].Model("m", echo)
	servers[0].Model("m", func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		return echo(ctx, in)
	})
	memory := &heldMemory{}
	c.hedges = budget{every: hedgeEvery, least: 100} // calls that a busy machine has made slow do not use it up
	for range 40 {                                   // one of them meets it
		r := requestOf("m", 1)
		r.Memory = memory
		memory.Retain()
		must(t, c, r)
		memory.Release()
	}
	until(t, "the memory is let go", time.Minute, func() bool { return memory.holders.Load() == 0 })
	var hedges uint64
	for _, e := range c.Endpoints() {
		hedges += e.Hedges
	}
	if hedges == 0 {
		t.Errorf("%d hedges", hedges)
	}
	until(t, "the loser ends", time.Minute, func() bool {
		return c.Endpoints()[0].Running+c.Endpoints()[1].Running == 0
	})
	close(ended)
}

func TestHedgesKeepTheirBudget(t *testing.T) {
	c, servers := fakes(t, 2, func(c *Config) { c.Hedge = []string{"m"} })
	warm(t, c, servers)
	c.pools.known("m", "1").tail.slow.Store(1) // every call is slow
	before := servers[0].Calls("m") + servers[1].Calls("m")
	for range 1000 {
		c.pools.known("m", "1").tail.slow.Store(1)
		must(t, c, requestOf("m", 1))
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m") - before; n > 1000+(1000+2*hedgeEvery)/hedgeEvery {
		t.Errorf("%d calls for 1000", n)
	}
	c.retries = budget{every: retryEvery}
	servers[0].Fail(tritontest.Fault{Code: codes.Internal, Text: "x"})
	servers[1].Fail(tritontest.Fault{Code: codes.Internal, Text: "x"})
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Upstream, "upstream_error")
}

func TestOtherModelsAreNotHedged(t *testing.T) {
	c, _ := fakes(t, 2, func(c *Config) { c.Hedge = []string{"n"} })
	one, _ := fakes(t, 1, func(c *Config) { c.Hedge = []string{"m"} })
	must(t, c, requestOf("m", 1))
	must(t, one, requestOf("m", 1))
	if c.pools.known("m", "1").tail != nil || one.pools.known("m", "1").tail != nil {
		t.Error("a tail where nothing is hedged")
	}
}

func TestTail(t *testing.T) {
	var l tail
	for i := range tailEvery - 1 {
		l.add(time.Duration(i))
	}
	if l.slow.Load() != 0 {
		t.Error("known too soon")
	}
	for i := range tailOf {
		l.add(time.Duration(i) * time.Millisecond)
	}
	if got := time.Duration(l.slow.Load()); got < 200*time.Millisecond || got > 250*time.Millisecond {
		t.Errorf("19 of 20 are faster than %v", got)
	}
}
