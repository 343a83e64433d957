package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestLostAnswers: Redis did what it was asked, and the answer was lost half-way. The call is made again and does nothing twice.
func TestLostAnswers(t *testing.T) {
	server := parts.Redis(t)
	p := newProxy(t, server)
	s := open(t, Options{URL: p.through(t, server)})
	ctx := t.Context()
	lose := func(what string, call func() error) {
		t.Helper()
		before := p.lost.Load()
		p.lose.Store(2)
		if err := call(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := p.lost.Load() - before; n != 2 {
			t.Fatalf("%s: %d answers were lost, want 2", what, n)
		}
	}
	spec := specOf(blob(t, s, "one"), blob(t, s, "two"))
	spec.Key = "k"
	warm := add(t, s) // Redis knows the script; its NOSCRIPT would be an answer too
	l := lease(t, s, warm.ID)
	if err := s.Settle(ctx, l, jobs.Outcome{State: jobs.Canceled}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Change(ctx, warm.ID, jobs.Told); err != nil {
		t.Fatal(err)
	}
	lose("create", func() error {
		existing, err := s.Create(ctx, spec)
		if existing != nil {
			return errors.New("it is taken for another caller's")
		}
		return err
	})
	if _, err := s.Create(ctx, specWithout(spec, "k2")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the same id by another call: %v", err)
	}
	l = lease(t, s, spec.ID)
	lose("extend", func() error {
		_, err := s.Extend(ctx, l, 10*time.Second, []jobs.Result{{Index: 1, Body: []byte("1")}})
		return err
	})
	lose("settle", func() error {
		return s.Settle(ctx, l, jobs.Outcome{State: jobs.Queued, Burn: true, Problem: &jobs.Problem{Code: "x"}}, []jobs.Result{{Index: 0, Body: []byte("0"), Bad: true}})
	})
	if j, err := s.Get(ctx, spec.ID); err != nil || j.State != jobs.Queued || j.Attempt != 1 || j.Done != 2 || j.Bad != 1 {
		t.Fatalf("after lost answers: %+v, %v", j, err)
	}
	lose("cancel", func() error { _, err := s.Change(ctx, spec.ID, jobs.Cancel); return err })
	lose("retry", func() error { _, err := s.Change(ctx, spec.ID, jobs.Retry); return err })
	lose("results", func() error {
		list, err := s.Results(ctx, spec.ID, 0, 10)
		if len(list) != 1 || string(list[0].Body) != "1" {
			return fmt.Errorf("%v, %w", list, err)
		}
		return err
	})
	lose("blob", func() error { _, err := s.Blob(ctx, spec.Items[0].Blob); return err })
	lose("list", func() error { _, _, err := s.List(ctx, jobs.Filter{Limit: 10}); return err })

	// A lease whose answer was lost is not asked for again: the job comes back when the lease ends.
	lease(t, s, spec.ID)
	p.lose.Store(1)
	_, err := s.Lease(ctx, 1, time.Second)
	wantFault(t, err, fault.Unavailable, "job_store_unavailable")
	audit(t, s)
}

func specWithout(spec *jobs.Spec, key string) *jobs.Spec {
	other := *spec
	other.Key = key
	return &other
}

// TestGone: each way in which Redis can be away is the same failure, and it ends with its cause.
func TestGone(t *testing.T) {
	for name, away := range map[string]func(t *testing.T, server *parts.RedisServer) (back func() error){
		"killed": func(_ *testing.T, server *parts.RedisServer) func() error { server.Kill(); return server.Restart },
		"another's replica": func(t *testing.T, server *parts.RedisServer) func() error {
			client := direct(t, server.URL())
			if err := client.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
				t.Fatal(err)
			}
			return func() error { return client.Do(context.Background(), "REPLICAOF", "NO", "ONE").Err() }
		},
		"wants a password": func(t *testing.T, server *parts.RedisServer) func() error {
			client := direct(t, server.URL())
			set := func(p string) error {
				return client.Do(context.Background(), "CONFIG", "SET", "requirepass", p).Err()
			}
			if err := set("s3cr3t"); err != nil {
				t.Fatal(err)
			}
			if err := client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err(); err != nil {
				t.Fatal(err)
			}
			return func() error {
				if err := client.Do(context.Background(), "AUTH", "s3cr3t").Err(); err != nil {
					return err
				}
				return set("")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := durable(t)
			s := open(t, Options{URL: server.URL()})
			before := add(t, s)
			s.patience = 50 * time.Millisecond
			back := away(t, server)
			spec := specOf(before.Items...)
			_, err := s.Create(t.Context(), spec)
			wantFault(t, err, fault.Unavailable, "job_store_unavailable")
			_, err = s.Lease(t.Context(), 1, time.Second)
			wantFault(t, err, fault.Unavailable, "job_store_unavailable")
			wantFault(t, s.Put(t.Context(), strings.Repeat("a", 64), []byte("x")), fault.Unavailable, "job_store_unavailable")
			if err := back(); err != nil {
				t.Fatal(err)
			}
			s.patience = patienceFor
			parts.Until(t, "it works again", time.Minute, func() bool { _, err := s.Get(t.Context(), before.ID); return err == nil })
			if _, err := s.Get(t.Context(), spec.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("a refused job: %v", err)
			}
			create(t, s, spec)
		})
	}
}

// TestPaused: a Redis that hangs costs a caller its own time and no more, and answers that come late are nobody's.
func TestPaused(t *testing.T) {
	server := durable(t)
	s := open(t, Options{URL: server.URL()})
	first, second := add(t, s), add(t, s)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		_, err := s.Get(ctx, first.ID)
		cancel()
		wantFault(t, err, fault.Timeout, "deadline_exceeded")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if j, err := s.Get(t.Context(), second.ID); err != nil || j.ID != second.ID {
			t.Fatalf("after it went on: %v, %v", j, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	done := make(chan bool)
	go func() { done <- s.Wake(context.Background(), time.Hour) }()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	_, err := s.Get(t.Context(), "x")
	wantFault(t, err, fault.Unavailable, "job_store_unavailable")
	if s.Wake(t.Context(), time.Nanosecond) && s.Wake(t.Context(), time.Nanosecond) {
		t.Error("a closed store wakes")
	}
}

// TestFull: nothing is taken in over the limits, and what was taken in before goes on.
func TestFull(t *testing.T) {
	server := parts.Redis(t)
	s := open(t, Options{URL: server.URL(), MaxBytes: 100_000, MaxJobs: 2})
	spec := specOf(blob(t, s, strings.Repeat("a", 60_000)))
	digest := strings.Repeat("b", 64)
	for _, size := range []int{40_001, 100_001, 15_000} { // the last fits
		if err := s.Put(t.Context(), digest, make([]byte, size)); size != 15_000 {
			wantFault(t, err, fault.TooLarge, "job_store_full")
			_, err = s.Blob(t.Context(), digest)
			wantFault(t, err, fault.NotFound, "blob_not_found")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	blob(t, s, strings.Repeat("a", 60_000)) // is there already
	create(t, s, spec)
	create(t, s, specOf(spec.Items...))
	third := specOf(spec.Items...)
	_, err := s.Create(t.Context(), third)
	wantFault(t, err, fault.TooLarge, "job_store_full")
	_, err = s.Get(t.Context(), third.ID)
	wantFault(t, err, fault.NotFound, "job_not_found")
	audit(t, s)
}

// TestMaxMemory: at its maxmemory Redis takes no new jobs, and those that it has are done.
func TestMaxMemory(t *testing.T) {
	server := parts.Redis(t, parts.WithRedisArgs("--maxmemory", "100mb", "--maxmemory-policy", "noeviction"))
	s := open(t, Options{URL: server.URL()})
	spec := add(t, s)
	client := direct(t, server.URL())
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Create(t.Context(), specOf(spec.Items...))
	wantFault(t, err, fault.TooLarge, "job_store_full")
	wantFault(t, s.Put(t.Context(), strings.Repeat("b", 64), []byte("x")), fault.TooLarge, "job_store_full")
	l := lease(t, s, spec.ID)
	if _, err := s.Extend(t.Context(), l, time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if j, err := s.Change(t.Context(), spec.ID, jobs.Cancel); err != nil || !j.Canceled {
		t.Fatal(j, err)
	}
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Results(t.Context(), spec.ID, 0, 1); err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	audit(t, s)
}
