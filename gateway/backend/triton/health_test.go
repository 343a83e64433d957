package triton

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
)

// traffic is callers that call one after the other until they are stopped.
type traffic struct {
	calls, errors atomic.Int64
	last          atomic.Value // error
	slowest       atomic.Int64 // ns
	stop          func()
}

func underLoad(t testing.TB, c *Client, model string, callers int, timeout time.Duration) *traffic {
	f := &traffic{}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for ctx.Err() == nil {
				one, leave := context.WithTimeout(ctx, timeout)
				start := time.Now()
				_, err := c.Infer(one, requestOf(model, 1))
				leave()
				if ctx.Err() != nil {
					return
				}
				f.calls.Add(1)
				if err != nil {
					f.errors.Add(1)
					f.last.Store(err)
				}
				if took := int64(time.Since(start)); took > f.slowest.Load() {
					f.slowest.Store(took)
				}
			}
		})
	}
	f.stop = func() { cancel(); wait.Wait() }
	t.Cleanup(f.stop)
	return f
}

// more waits for so many more calls to end.
func (f *traffic) more(t testing.TB, n int64) {
	t.Helper()
	from := f.calls.Load()
	until(t, "calls go on", time.Minute, func() bool { return f.calls.Load() >= from+n })
}

func TestOneOfThreeIsKilledUnderLoad(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	for _, s := range servers {
		s.Fail(tritontest.Fault{Delay: 2 * time.Millisecond})
	}
	statusOf(t, c, "m")
	const callers = 8
	f := underLoad(t, c, "m", callers, time.Minute)
	f.more(t, 1000)
	servers[1].Kill()
	t.Logf("ejected after %v", serves(t, c, 1, false))
	f.more(t, 1000)
	served := servers[1].Calls("m")
	servers[1].Start()
	t.Logf("back after %v", until(t, "it gets calls again", time.Minute, func() bool { return servers[1].Calls("m") > served }))
	f.more(t, 1000)
	f.stop()
	if failed, all := f.errors.Load(), f.calls.Load(); failed > callers { // those that were under way when it was killed, where the others are at their limit
		t.Errorf("%d of %d calls failed; the last: %v", failed, all, f.last.Load())
	}
	states := c.Endpoints()
	if s := states[1]; s.Ejected == 0 || s.Failures == 0 {
		t.Errorf("got %+v", s)
	}
	if states[0].Retries+states[2].Retries == 0 { // one of them may have been out of service, on a machine on which it could answer no probe
		t.Errorf("the others: %+v, %+v", states[0], states[2])
	}
}

// hangs makes a server take calls and probes and answer none, until the function that it gives is called.
func hangs(s *tritontest.Server) func() {
	release := make(chan struct{})
	for _, method := range []string{"ModelInfer", "ServerLive", "RepositoryIndex", "ModelStatistics", "ModelReady"} {
		s.Fail(tritontest.Fault{Method: method, Until: release})
	}
	return func() { s.Heal(); close(release) }
}

func TestAHungServerDoesNotHoldTheOthersUp(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	statusOf(t, c, "m")
	f := underLoad(t, c, "m", 8, time.Minute)
	f.more(t, 1000)
	back := hangs(servers[2])
	t.Logf("ejected after %v", serves(t, c, 2, false))
	until(t, "what waited for it has gone", time.Minute, func() bool { return c.Endpoints()[2].Running == 0 })
	f.more(t, 1000)
	f.stop()
	if f.errors.Load() != 0 { // what waited for the hung server was made elsewhere
		t.Errorf("%d of %d calls failed; the last: %v", f.errors.Load(), f.calls.Load(), f.last.Load())
	}
	t.Logf("the slowest call took %v", time.Duration(f.slowest.Load()))
	if s := c.Endpoints()[2]; s.Running != 0 || s.Reason != "it does not answer" {
		t.Errorf("got %+v", s)
	}
	back()
	serves(t, c, 2, true)
}

func TestAllDead(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	for range 300 {
		must(t, c, requestOf("m", 1))
	}
	for _, s := range servers {
		s.Kill()
	}
	sent := func() (n uint64) {
		for _, e := range c.Endpoints() {
			n += e.Calls
		}
		return n
	}
	before, start := sent(), time.Now()
	const calls = 1000
	for range calls {
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		wantFault(t, err, fault.Unavailable, "backend_unavailable")
	}
	t.Logf("an error took %v", time.Since(start)/calls)
	if n := sent() - before; int(n) > amplified(calls, start) {
		t.Errorf("%d attempts for %d calls", n, calls)
	}
	_, err := c.Index(t.Context())
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	servers[0].Start()
	until(t, "one is back", time.Minute, func() bool { _, err := c.Infer(t.Context(), requestOf("m", 1)); return err == nil })
}

// amplified is how many attempts so many calls, begun at start, may take: a tenth more, and where a busy machine makes few calls a second, some in each.
func amplified(calls int, start time.Time) int {
	return calls*11/10 + retriesASecond*int(time.Since(start).Seconds())
}

// TestAmplification: servers that answer, and say that they cannot serve, are called no more than a tenth more often.
func TestAmplification(t *testing.T) {
	c, servers := fakes(t, 3, nil)
	for _, s := range servers {
		s.Fail(tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull})
	}
	const calls = 2000
	start := time.Now()
	for range calls {
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		wantFault(t, err, fault.Busy, "queue_full")
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m") + servers[2].Calls("m"); n < calls*105/100 || n > amplified(calls, start) {
		t.Errorf("%d attempts for %d calls", n, calls)
	}
}

func TestModelsErrorsEjectNobody(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	for _, s := range servers {
		s.Model("n", echo)
		s.Fail(tritontest.Fault{Model: "m", Code: codes.Internal, Text: "exploded"})
	}
	lanes := func() []*lane { return c.pools.known("m", "1").lanes.Load().lanes }
	for range 50 {
		if _, err := c.Infer(t.Context(), requestOf("m", 1)); err == nil {
			t.Fatal("no error")
		}
		for _, l := range lanes() { // it stays open for as long as this takes
			if l.breaker.until.Load() != 0 {
				l.breaker.until.Store(int64(c.nanos() + time.Hour))
			}
		}
		must(t, c, requestOf("n", 1))
	}
	for _, e := range c.Endpoints() {
		if !e.Ready || e.Ejected != 0 {
			t.Errorf("got %+v", e)
		}
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m"); n != 2*breakAfterErrors {
		t.Errorf("%d calls of a model that fails, want %d until the breakers open", n, 2*breakAfterErrors)
	}
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	if f := wantFault(t, err, fault.Unavailable, "backend_unavailable"); f.RetryAfter <= 0 || f.RetryAfter > longestBreak {
		t.Errorf("RetryAfter %v", f.RetryAfter)
	}
	for _, l := range lanes() {
		l.breaker.until.Store(int64(c.nanos() + firstBreak))
	}
	servers[0].Heal()
	until(t, "a trial closes the breaker", time.Minute, func() bool { _, err := c.Infer(t.Context(), requestOf("m", 1)); return err == nil })
}

func TestTheLastEndpointIsNeverEjected(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	for _, s := range servers {
		s.Fail(tritontest.Fault{Code: codes.Unavailable, Text: "upstream connect error"})
	}
	for range 50 {
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		wantFault(t, err, fault.Unavailable, "backend_unavailable")
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m"); n < 50 {
		t.Errorf("%d calls were sent, want all of 50: nobody is left", n)
	}
}

func TestAServerThatSaysThatItCannotServeIsEjected(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	servers[0].Fail(tritontest.Fault{Code: codes.Unavailable, Text: "upstream connect error", Times: ejectAfter})
	for range 20 * ejectAfter {
		_, _ = c.Infer(t.Context(), requestOf("m", 1))
	}
	if s := c.Endpoints(); s[0].Ejected != 1 || s[0].Failures != ejectAfter || s[1].Ejected != 0 {
		t.Errorf("got %+v", s)
	}
	serves(t, c, 0, true)
}

// TestAnEndpointThatLooksMissIsEjected: without any call.
func TestAnEndpointThatLooksMissIsEjected(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	statusOf(t, c, "m")
	servers[0].Kill()
	for range missesToEject {
		if c.Endpoints()[0].Ejected != 0 {
			t.Error("ejected after one look")
		}
		statusOf(t, c, "m")
	}
	if s := c.Endpoints()[0]; s.Ejected != 1 || s.Ready {
		t.Errorf("got %+v", s)
	}
	infers(t, c, 20)
	if servers[0].Calls("m") != 0 {
		t.Error("it got a call")
	}
}

func TestWhatComesBackHasBeenLookedAt(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	old, id := statusOf(t, c, "m").Epoch, modelVersion{"m", "1"}
	its := c.list()[0].lastEpoch(id)
	servers[0].Kill()
	infers(t, c, 10)
	serves(t, c, 0, false)
	servers[0].Start()
	serves(t, c, 0, true)
	if e := c.list()[0]; e.readiness(id) != ready || e.lastEpoch(id) == its || its == "" {
		t.Error("it got calls before anybody had looked")
	}
	changed(t, "a new server", statusOf(t, c, "m").Epoch, old)
}

func TestSlowStart(t *testing.T) {
	h := &health{}
	const begun, times = time.Minute, 10_000
	h.since.Store(int64(begun))
	for _, x := range []struct {
		age  time.Duration
		full float64 // the share of the choices in which its load is what it is
	}{{0, 0.25}, {slowStart / 3, 0.5}, {slowStart * 2 / 3, 0.75}} {
		full := 0
		for range times {
			switch h.load(begun + x.age) {
			case 1:
				full++
			case 4:
			default:
				t.Fatal("another load")
			}
		}
		if got := float64(full) / times; got < x.full-0.05 || got > x.full+0.05 {
			t.Errorf("after %v: %v, want %v", x.age, got, x.full)
		}
	}
	if h.load(begun+slowStart) != 1 || h.since.Load() != 0 {
		t.Error("it does not end")
	}
}

func TestEndpointsOfOneServer(t *testing.T) {
	c, servers := fakes(t, 1, nil)
	must(t, c, requestOf("m", 1))
	servers[0].Kill()
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	// The connection's end is told on a goroutine of its own, and may come after the call's.
	until(t, "the connection is seen to be lost", time.Minute, func() bool { return !c.Endpoints()[0].Ready })
	if s := c.Endpoints()[0]; s.Ejected != 0 || s.Reason == "" || s.Calls == 0 {
		t.Errorf("got %+v", s)
	}
	var _ []backend.EndpointState = c.Endpoints()
}
