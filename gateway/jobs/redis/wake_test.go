package redis

import (
	"context"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/parts"
)

// TestWake: whatever makes a job due wakes a worker of another process that sleeps.
func TestWake(t *testing.T) {
	server := durable(t)
	here, there := open(t, Options{URL: server.URL()}), open(t, Options{URL: server.URL()})
	wakes := func(what string, act func()) {
		t.Helper()
		for there.Wake(t.Context(), time.Millisecond) { // what was before
		}
		woken := make(chan bool)
		go func() { woken <- there.Wake(t.Context(), time.Minute) }()
		act()
		if !<-woken {
			t.Errorf("%s wakes nobody", what)
		}
	}
	if !there.Wake(t.Context(), time.Minute) {
		t.Error("the first Wake may have missed something, and does not say so")
	}
	var spec *jobs.Spec
	wakes("a new job", func() { spec = add(t, here) })
	l := lease(t, here, spec.ID)
	wakes("a job that is given back", func() {
		if err := here.Settle(t.Context(), l, jobs.Outcome{State: jobs.Queued}, nil); err != nil {
			t.Error(err)
		}
	})
	if _, err := here.Change(t.Context(), spec.ID, jobs.Cancel); err != nil {
		t.Fatal(err)
	}
	wakes("a retry", func() {
		if _, err := here.Change(t.Context(), spec.ID, jobs.Retry); err != nil {
			t.Error(err)
		}
	})
	wakes("a restart of Redis", func() {
		server.Kill()
		if err := server.Restart(); err != nil {
			t.Error(err)
		}
	})
}

func TestWakeWaitsNoLonger(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	for s.Wake(t.Context(), time.Second) {
	}
	later := specOf(blob(t, s, "x"))
	later.RunAt = time.Now().Add(time.Hour)
	create(t, s, later)
	if s.Wake(t.Context(), 50*time.Millisecond) {
		t.Error("a job that is not due wakes")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.Wake(ctx, time.Hour) {
		t.Error("a caller that has left is woken")
	}
	if n := s.client.XLen(t.Context(), s.prefix+"wake").Val(); n != 0 {
		t.Errorf("%d hints", n)
	}
	for range 500 {
		create(t, s, specOf(later.Items...))
	}
	if n := s.client.XLen(t.Context(), s.prefix+"wake").Val(); n > 300 {
		t.Errorf("%d hints are kept", n)
	}
}
