package triton

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
)

func TestBudget(t *testing.T) {
	for name, x := range map[string]struct{ calls, seconds, least, most int }{
		"many calls":       {1000, 10, 990, 1000},
		"few calls":        {20, 10, 30, 30}, // three a second
		"no calls":         {0, 10, 30, 30},
		"burst":            {100, 1, 10, 10},
		"at the threshold": {29, 10, 29, 30},
	} {
		b := &budget{every: retryEvery, least: retriesASecond}
		allowed := 0
		for s := range x.seconds {
			now := time.Hour + time.Duration(s)*time.Second
			for range x.calls {
				b.called(now)
				if b.allow(now) {
					allowed++
				}
			}
			for b.allow(now) {
				allowed++
			}
		}
		if allowed < x.least || allowed > x.most {
			t.Errorf("%s: %d extra calls, want %d to %d", name, allowed, x.least, x.most)
		}
	}
}

// TestBudgetForgets: what was saved long ago buys nothing.
func TestBudgetForgets(t *testing.T) {
	b := &budget{every: hedgeEvery}
	for range 10 * hedgeEvery {
		b.called(time.Second)
	}
	if !b.allow(time.Second * budgetSeconds) {
		t.Error("the last seconds do not count")
	}
	if b.allow(time.Second * (budgetSeconds + 1)) {
		t.Error("older ones do")
	}
	if new(budget).allow(time.Hour); (&budget{every: 1}).allow(time.Hour) {
		t.Error("an empty budget allows a call")
	}
}

func TestBudgetUnderRace(t *testing.T) {
	b := &budget{every: retryEvery}
	var allowed atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 10_000 {
				now := time.Duration(i) * time.Millisecond
				b.called(now)
				if b.allow(now) {
					allowed.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if n := allowed.Load(); n < 1000 || n > 9000 { // a second may be counted twice where goroutines are seconds apart
		t.Errorf("%d extra calls of 80,000", n)
	}
}

func TestJudged(t *testing.T) {
	over, leave := context.WithTimeout(t.Context(), -1)
	defer leave()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, x := range []struct {
		ctx      context.Context
		code     codes.Code
		text     string
		answered bool
		what     effect
		where    elsewhere
	}{
		{t.Context(), codes.Unavailable, "connection refused", false, broken, anywhere},
		{t.Context(), codes.Unavailable, "upstream connect error", true, sick, anywhere},
		{t.Context(), codes.Unavailable, tritontest.ServerExiting, true, sick, anywhere},
		{t.Context(), codes.Unavailable, tritontest.QueueFull, true, crowded, onOther},
		{t.Context(), codes.Unavailable, tritontest.QueueTimeout, true, answered, never},
		{t.Context(), codes.Unavailable, tritontest.NotReady, true, unready, onOther},
		{t.Context(), codes.ResourceExhausted, "busy", true, crowded, onOther},
		{t.Context(), codes.ResourceExhausted, "received message larger than max", false, answered, never},
		{t.Context(), codes.Internal, "model", true, failed, never},
		{t.Context(), codes.Unknown, "model", true, failed, never},
		{t.Context(), codes.Internal, "grpc: failed to unmarshal the received message", false, answered, never},
		{t.Context(), codes.InvalidArgument, "shape", true, answered, never},
		{t.Context(), codes.NotFound, "unknown model", true, answered, never},
		{t.Context(), codes.DeadlineExceeded, "server side", true, late, never},
		{over, codes.DeadlineExceeded, "", false, late, never},
		{over, codes.Unavailable, "", false, late, never},
		{over, codes.Internal, "model", true, failed, never},
		{gone, codes.Canceled, "", false, unsent, never},
	} {
		what, where := judged(x.ctx, status.Error(x.code, x.text), x.answered)
		if what != x.what || where != x.where {
			t.Errorf("%s %q: effect %d and elsewhere %d, want %d and %d", x.code, x.text, what, where, x.what, x.where)
		}
	}
}

// TestWhatIsTriedElsewhere: once, on the other endpoint, and only where nothing can have run in vain.
func TestWhatIsTriedElsewhere(t *testing.T) {
	for _, x := range []struct {
		fault tritontest.Fault
		again bool
	}{
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueFull}, true},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.NotReady}, true},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.ServerExiting}, true},
		{tritontest.Fault{Cut: true}, true},
		{tritontest.Fault{Code: codes.Unavailable, Text: tritontest.QueueTimeout}, false},
		{tritontest.Fault{Code: codes.Internal, Text: "model"}, false},
		{tritontest.Fault{Code: codes.InvalidArgument, Text: "shape"}, false},
	} {
		c, servers := fakes(t, 2, nil)
		x.fault.Times = 1
		for _, s := range servers { // whichever is first
			s.Fail(x.fault)
		}
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		a, b := servers[0].Calls("m"), servers[1].Calls("m")
		if want := map[bool]int{true: 2, false: 1}[x.again]; a+b != want || a > 1 || b > 1 || err == nil {
			t.Errorf("%+v: %d and %d calls, want %d in all; %v", x.fault, a, b, want, err)
		}
		if x.again {
			_, err = c.Infer(t.Context(), requestOf("m", 1)) // the faults are used up
		}
		if err != nil && x.again {
			t.Errorf("%+v: %v", x.fault, err)
		}
	}
}

func TestAModelThatOneServerDoesNotHave(t *testing.T) {
	c, servers := fakes(t, 2, nil)
	servers[1].Model("only", echo)
	statusOf(t, c, "m")
	servers[0].Model("only", echo)
	statusOf(t, c, "only")
	servers[0].Fail(tritontest.Fault{Model: "only", Code: codes.NotFound, Text: "Request for unknown model: 'only' is not found", Times: 1})
	for range 10 {
		must(t, c, requestOf("only", 1))
	}
	_, err := c.Infer(t.Context(), requestOf("nosuch", 1))
	wantFault(t, err, fault.NotFound, "version_not_found")
}
