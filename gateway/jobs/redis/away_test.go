package redis

import (
	"context"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestRefusedSoon: while Redis is away, however that looks, who waits for an answer is refused long before the engine's own calls would be; the first call after it is
// back is answered, however many calls there were meanwhile.
func TestRefusedSoon(t *testing.T) {
	for name, c := range map[string]struct {
		leave, back func(t *testing.T, p *proxy)
		calls       int // as many dials fail as the client's pool forgives, and more; where nobody answers each takes its time
	}{
		"gone":   {func(_ *testing.T, p *proxy) { p.cut() }, func(t *testing.T, p *proxy) { p.mend(t) }, 100},
		"silent": {func(_ *testing.T, p *proxy) { p.silent.Lock() }, func(_ *testing.T, p *proxy) { p.silent.Unlock() }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			server := parts.Redis(t)
			p := newProxy(t, server)
			s := open(t, Options{URL: p.through(t, server)})
			s.patience = 10 * time.Minute
			there := add(t, s)
			c.leave(t, p)
			for _, callers := range []int{1, 1, 200} {
				begun := time.Now()
				var wait sync.WaitGroup
				for range callers {
					wait.Go(func() {
						if _, _, err := s.Take(t.Context(), specOf(there.Items...), nil); fault.KindOf(err) != fault.Unavailable {
							t.Error(err)
						}
					})
				}
				wait.Wait()
				if took := time.Since(begun); took > s.patience/2 {
					t.Errorf("refused after %v", took)
				}
			}
			for range c.calls {
				if _, err := s.Count(t.Context()); fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
			}
			c.back(t, p)
			spec := specOf(there.Items...)
			create(t, s, spec)
			if j, err := s.Get(t.Context(), spec.ID); err != nil || j.State != jobs.Queued {
				t.Fatal(j, err)
			}
			if s.away.known {
				t.Error("it is still held to be away")
			}
		})
	}
}

// TestOwnCallsWait: the engine's own calls outlast what callers are refused for.
func TestOwnCallsWait(t *testing.T) {
	server := parts.Redis(t)
	p := newProxy(t, server)
	s := open(t, Options{URL: p.through(t, server)})
	s.patience = time.Minute
	spec := add(t, s)
	p.cut()
	if _, err := s.Get(t.Context(), spec.ID); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		close(begun)
		if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) != 1 {
			t.Error(list, err)
		}
	})
	<-begun
	for range 3 {
		if _, err := s.Get(t.Context(), spec.ID); fault.KindOf(err) != fault.Unavailable {
			t.Error(err)
		}
	}
	p.mend(t)
	wait.Wait()
}

// TestOwnTimeIsNoAbsence: a caller whose own time is over says nothing of Redis.
func TestOwnTimeIsNoAbsence(t *testing.T) {
	server := parts.Redis(t)
	p := newProxy(t, server)
	s := open(t, Options{URL: p.through(t, server)})
	spec := add(t, s)
	p.silent.Lock()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, spec.ID)
	p.silent.Unlock()
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	if s.away.known {
		t.Error("Redis is held to be away")
	}
}
