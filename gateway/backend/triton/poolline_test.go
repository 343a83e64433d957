package triton

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/internal/priority"
)

func TestCallsWaitInLine(t *testing.T) {
	c, servers := fakes(t, 2, func(c *Config) { c.MaxRunning, c.Queue = 2, 3 })
	g := newGate()
	for _, s := range servers {
		s.Model("m", g.model)
	}
	if err := c.Full(t.Context(), "m", "1"); err != nil {
		t.Errorf("never called: %v", err)
	}
	results := make(chan error, 100)
	call := func(ctx context.Context) {
		go func() { _, err := c.Infer(ctx, requestOf("m", 1)); results <- err }()
	}
	waiting := func(n int32) {
		t.Helper()
		until(t, "so many wait", time.Minute, func() bool { return c.pools.known("m", "1").waiting.Load() == n })
	}
	for range 4 {
		call(t.Context())
		<-g.came
	}
	patient, leave := context.WithCancel(t.Context())
	for i := range 3 {
		if err := c.Full(t.Context(), "m", "1"); err != nil {
			t.Errorf("there is room in line: %v", err)
		}
		ctx := t.Context()
		if i == 1 {
			ctx = patient
		}
		call(ctx)
		waiting(int32(i + 1))
	}
	_, err := c.Infer(t.Context(), requestOf("m", 1))
	if f := wantFault(t, err, fault.Busy, "queue_full"); f.RetryAfter <= 0 {
		t.Errorf("RetryAfter %v", f.RetryAfter)
	}
	wantFault(t, c.Full(t.Context(), "m", "1"), fault.Busy, "queue_full")
	if n := servers[0].Calls("m") + servers[1].Calls("m"); n != 4 {
		t.Errorf("%d calls were sent, want 4", n)
	}
	leave() // from the middle of the line
	wantFault(t, <-results, fault.Canceled, "client_closed")
	waiting(2)
	g.leave <- struct{}{} // one goes, the next comes
	if err := <-results; err != nil {
		t.Error(err)
	}
	<-g.came
	waiting(1)
	close(g.leave)
	for range 5 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := servers[0].Calls("m") + servers[1].Calls("m"); n != 6 {
		t.Errorf("%d calls were sent, want 6", n)
	}
	for _, e := range c.Endpoints() {
		if e.Running != 0 || e.Limit < 1 || e.Limit > 2 {
			t.Errorf("got %+v", e)
		}
	}
}

func TestWaitingEndsWithTheServers(t *testing.T) {
	c, servers := fakes(t, 2, func(c *Config) { c.MaxRunning = 1 })
	g := newGate()
	for _, s := range servers {
		s.Model("m", g.model)
	}
	results := make(chan error, 10)
	for i := range 6 {
		go func() { _, err := c.Infer(t.Context(), requestOf("m", 1)); results <- err }()
		if i < 2 {
			<-g.came
		}
	}
	until(t, "4 wait", time.Minute, func() bool { return c.pools.known("m", "1").waiting.Load() == 4 })
	for _, s := range servers {
		s.Kill()
	}
	for range 6 {
		wantFault(t, <-results, fault.Unavailable, "backend_unavailable")
	}
}

func TestWhatCannotBeInTimeIsRefused(t *testing.T) {
	c, servers := fakes(t, 1, func(c *Config) { c.MaxRunning = 1 })
	must(t, c, requestOf("m", 1))
	p := c.pools.known("m", "1")
	l := p.lanes.Load().lanes[0]
	l.limit.TryAcquire()
	for range 100 { // a call takes 4 s
		l.limit.Force()
		l.limit.Release(0, 4*time.Second, limit.Answered)
	}
	short, leave := context.WithTimeout(t.Context(), 4*time.Second)
	defer leave()
	_, err := c.Infer(short, requestOf("m", 1))
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	if short.Err() != nil {
		t.Error("it waited for that")
	}
	wantFault(t, c.Full(short, "m", "1"), fault.Timeout, "deadline_exceeded")
	long, stop := context.WithTimeout(t.Context(), time.Hour)
	defer stop()
	if err := c.Full(long, "m", "1"); err != nil {
		t.Errorf("there is time enough: %v", err)
	}
	if servers[0].Calls("m") != 1 {
		t.Error("it was sent")
	}
	// The line is long, and each of them takes 4 s.
	p.waiting.Store(shortestLine)
	var waiters []*priority.Place[waiter]
	for range shortestLine {
		waiters = append(waiters, p.line.Join(priority.Interactive, time.Now(), waiter{ctx: long, done: make(chan struct{})}))
	}
	if f := wantFault(t, c.Full(long, "m", "1"), fault.Busy, "queue_full"); f.RetryAfter < shortestLine*4*time.Second || f.RetryAfter > 2*shortestLine*4*time.Second {
		t.Errorf("RetryAfter %v", f.RetryAfter)
	}
	for _, w := range waiters {
		p.line.Leave(w)
	}
	p.waiting.Store(0)
	l.limit.Release(0, 0, limit.Left)
}

// TestNothingIsSentAfterItsTime: callers with short deadlines before servers that are slower; nobody's call begins after its deadline, and every place is
// given back.
func TestNothingIsSentAfterItsTime(t *testing.T) {
	c, servers := fakes(t, 2, func(c *Config) { c.MaxRunning = 2 })
	g := newGate()
	for _, s := range servers {
		s.Model("m", g.model)
	}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			ctx, leave := context.WithTimeout(t.Context(), time.Duration(1+i%7)*10*time.Millisecond)
			defer leave()
			_, err := c.Infer(ctx, requestOf("m", 1))
			if !errors.Is(err, &fault.Error{Kind: fault.Timeout}) && !errors.Is(err, &fault.Error{Kind: fault.Busy}) {
				t.Errorf("got %v", err)
			}
		})
	}
	wait.Wait()
	sent := c.Endpoints()[0].Calls + c.Endpoints()[1].Calls
	close(g.leave)
	infers(t, c, 10)
	if n := c.Endpoints()[0].Calls + c.Endpoints()[1].Calls; n != sent+10 {
		t.Errorf("%d calls, want %d", n, sent+10)
	}
	for _, e := range c.Endpoints() {
		if e.Running != 0 {
			t.Errorf("got %+v", e)
		}
	}
}

func BenchmarkFull(b *testing.B) {
	c, _ := fakes(b, 3, nil)
	if _, err := c.Infer(b.Context(), requestOf("m", 1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Full(b.Context(), "m", "1"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrab(b *testing.B) {
	c, _ := fakes(b, 3, nil)
	p := c.pools.of(c, "m", "1")
	b.ReportAllocs()
	for b.Loop() {
		t, _ := p.grab(c, c.nanos())
		c.finish(p, &t, fine, nil)
	}
}
