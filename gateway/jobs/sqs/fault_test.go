package sqs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// TestLostAnswers: AWS did what it was asked, and the answer was lost. The call is made again and does nothing twice.
func TestLostAnswers(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	ctx := t.Context()
	lose := func(operation, what string, call func() error) {
		t.Helper()
		before := p.lost.Load()
		p.loses(operation, 2)
		defer p.says(nil)
		if err := call(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := p.lost.Load() - before; n != 2 {
			t.Fatalf("%s: %d answers were lost, want 2", what, n)
		}
	}
	spec := specOf(s, blob(t, s, "one"), blob(t, s, "two"))
	lose("PutItem", "create", func() error {
		existing, err := s.Create(ctx, spec)
		if existing != nil {
			return errors.New("it is taken for another caller's")
		}
		return err
	})
	again := *spec
	if _, err := s.Create(ctx, &again); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the same id by another call: %v", err)
	}
	var l jobs.Lease
	lose("UpdateItem", "lease", func() error { _, l = lease(t, s, spec.ID, 10*time.Second); return nil })
	if l.Fence != 1 {
		t.Errorf("fence %d, want 1", l.Fence)
	}
	lose("UpdateItem", "extend", func() error {
		_, err := s.Extend(ctx, l, 10*time.Second, []jobs.Result{{Index: 1, Body: []byte("1")}})
		return err
	})
	large := jobs.Result{Index: 0, Body: []byte(strings.Repeat(" ", 5000) + "0"), Bad: true}
	lose("TransactWriteItems", "settle", func() error {
		return s.Settle(ctx, l, jobs.Outcome{State: jobs.Queued, Burn: true, Problem: &jobs.Problem{Code: "x"}}, []jobs.Result{large})
	})
	if j, err := s.Get(ctx, spec.ID); err != nil || j.State != jobs.Queued || j.Attempt != 1 || j.Done != 2 || j.Bad != 1 {
		t.Fatalf("after lost answers: %+v, %v", j, err)
	}
	lose("UpdateItem", "cancel", func() error { _, err := s.Change(ctx, spec.ID, jobs.Cancel); return err })
	lose("UpdateItem", "retry", func() error { _, err := s.Change(ctx, spec.ID, jobs.Retry); return err })
	lose("GetItem", "results", func() error {
		list, err := s.Results(ctx, spec.ID, 0, 10)
		if len(list) != 1 || string(list[0].Body) != "1" {
			return fmt.Errorf("%v, %w", list, err)
		}
		return err
	})
	keyed := specOf(s, spec.Items...)
	keyed.Key = "k"
	lose("TransactWriteItems", "create with a key", func() error {
		existing, err := s.Create(ctx, keyed)
		if existing != nil {
			return errors.New("it is taken for another caller's")
		}
		return err
	})
}

// TestFailing: each way in which AWS can fail is the same failure, says what to do, takes its time and no more, and ends with its cause.
func TestFailing(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	before := add(t, s)
	for name, way := range map[string]struct {
		status     int
		body, want string
	}{
		"throttled":        {400, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}`, "throttles"},
		"server error":     {500, `{"__type":"InternalServerError","message":"oops"}`, "fail"},
		"no JSON":          {503, `<html>`, "cannot be reached"},
		"silent":           {-2, "", "cannot be reached"},
		"forbidden":        {400, `{"__type":"AccessDeniedException","message":"no"}`, "credentials"},
		"nothing is there": {400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}`, "jobs setup"},
	} {
		t.Run(name, func(t *testing.T) {
			p.says(func(string) (int, string) { return way.status, way.body })
			defer p.says(nil)
			if s.patience = patienceFor; way.status == -2 {
				s.patience = 300 * time.Millisecond
			}
			check := func(what string, err error) {
				t.Helper()
				var e *fault.Error
				if !errors.As(err, &e) || e.Kind != fault.Unavailable || e.Code != "job_store_unavailable" || !strings.Contains(e.Detail, way.want) {
					t.Errorf("%s: %v, want one that says %q", what, err, way.want)
				}
			}
			spec := specOf(s, before.Items...)
			_, err := s.Create(t.Context(), spec)
			check("create", err)
			_, err = s.Get(t.Context(), before.ID)
			check("get", err)
			if way.status == 400 && name != "throttled" { // these are not tried again
				_, err = s.Change(t.Context(), before.ID, jobs.Cancel)
				check("cancel", err)
				check("put", s.Put(t.Context(), strings.Repeat("a", 64), []byte("x")))
				_, _, err = s.List(t.Context(), jobs.Filter{Limit: 1})
				check("list", err)
				_, err = s.Sweep(t.Context())
				check("sweep", err)
				_, err = s.Count(t.Context())
				check("count", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if way.status == -2 {
				_, err = s.Get(ctx, before.ID)
				wantFault(t, err, fault.Timeout, "deadline_exceeded")
			}
			p.says(nil)
			s.patience = patienceFor
			if _, err := s.Get(t.Context(), spec.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("a refused job: %v", err)
			}
			create(t, s, spec)
		})
	}
}

// TestShortFailures: what goes by itself is nobody's trouble.
func TestShortFailures(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	failures := 0
	p.says(func(string) (int, string) {
		if failures++; failures%3 != 0 {
			return 400, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow"}`
		}
		return 0, ""
	})
	spec := add(t, s)
	if j, err := s.Get(t.Context(), spec.ID); err != nil || j.State != jobs.Queued {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestUnsent: a job whose message could not be sent is accepted, and a sweep sends it.
func TestUnsent(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	clock := newSky()
	s := open(t, Options{URL: p.through(t, c, c.place(t)), Now: clock.Now}, func(s *Store) { s.patience = 3 * time.Second })
	p.says(func(operation string) (int, string) {
		if operation == "SendMessage" {
			return 500, `{}`
		}
		return 0, ""
	})
	spec := add(t, s)
	p.says(nil)
	if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) > 0 {
		t.Fatalf("%v, %v", list, err)
	}
	clock.Advance(grace + time.Second)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	lease(t, s, spec.ID, time.Minute)
}

// TestCalls counts what a job of one image costs.
func TestCalls(t *testing.T) {
	c := newCloud(t)
	c.options = "&bucket=BUCKET"
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	if _, err := s.Lease(t.Context(), 1, time.Minute); err != nil { // the polls are under way, the queues known
		t.Fatal(err)
	}
	warm := specOf(s, blob(t, s, strings.Repeat("warm", 5000)))
	create(t, s, warm)
	_, l := lease(t, s, warm.ID, 300*time.Second)
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, nil); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "its message is deleted", time.Minute, func() bool { return p.count("DeleteMessageBatch") == 1 })
	step := func(what string, want map[string]int, call func()) {
		t.Helper()
		p.since()
		call()
		got := p.since()
		if what != "lease" {
			delete(got, "ReceiveMessage") // of polls that find nothing
		} else {
			got["ReceiveMessage"] = min(got["ReceiveMessage"], 1)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		t.Logf("%s: %v", what, got)
	}
	var spec *jobs.Spec
	step("put of an image", map[string]int{"UpdateItem": 2, "PUTObject": 1}, func() { spec = specOf(s, blob(t, s, strings.Repeat("image", 5000))) })
	step("put of the same", map[string]int{"UpdateItem": 1}, func() { blob(t, s, strings.Repeat("image", 5000)) })
	step("create", map[string]int{"BatchWriteItem": 1, "PutItem": 1, "SendMessage": 1}, func() { create(t, s, spec) })
	step("lease", map[string]int{"ReceiveMessage": 1, "UpdateItem": 1}, func() { _, l = lease(t, s, spec.ID, 300*time.Second) })
	step("results between heartbeats", map[string]int{"UpdateItem": 1}, func() {
		if _, err := s.Extend(t.Context(), l, 300*time.Second, nil); err != nil {
			t.Fatal(err)
		}
	})
	step("settle", map[string]int{"UpdateItem": 1, "DeleteMessageBatch": 1}, func() {
		if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: 0, Body: []byte(`{"label":"cat"}`)}}); err != nil {
			t.Fatal(err)
		}
		parts.Until(t, "its message is deleted", time.Minute, func() bool { return p.count("DeleteMessageBatch") == 1 })
	})
	step("look", map[string]int{"GetItem": 1}, func() {
		if _, err := s.Look(t.Context(), spec.ID); err != nil {
			t.Fatal(err)
		}
	})
	step("results", map[string]int{"GetItem": 1}, func() {
		if list, err := s.Results(t.Context(), spec.ID, 0, 10); err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
	})
}
