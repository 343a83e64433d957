package sqs

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func keyed(s *Store, name string) *jobs.Spec {
	spec := specOf(s, jobs.Item{Kind: jobs.Row, Blob: digest([]byte("x"))})
	spec.Key = name
	return spec
}

// TestClaim: a key that is kept for a job of another store is nobody's here until the time is over; one that a job here has is not given away.
func TestClaim(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	ctx := t.Context()
	_, err := s.ByKey(ctx, "t", "k")
	wantFault(t, err, fault.NotFound, "job_not_found")
	for _, id := range []string{"one", "two"} { // near stores tell their own apart
		if j, err := s.Claim(ctx, "t", "k", id, clock.Now().Add(time.Minute)); j != nil || err != nil {
			t.Fatalf("claim: %+v, %v", j, err)
		}
	}
	_, err = s.ByKey(ctx, "t", "k")
	wantFault(t, err, fault.NotFound, "job_not_found")
	refused := keyed(s, "k")
	_, err = s.Create(ctx, refused)
	wantFault(t, err, fault.Conflict, "conflict")
	_, err = s.Get(ctx, refused.ID)
	wantFault(t, err, fault.NotFound, "job_not_found")
	other := keyed(s, "k")
	other.Tenant = "u"
	create(t, s, other)
	clock.Advance(time.Minute)
	late := keyed(s, "k")
	create(t, s, late)
	for range 2 {
		j, err := s.Claim(ctx, "t", "k", "three", clock.Now().Add(time.Minute))
		if err != nil || j == nil || j.ID != late.ID || j.Total != 1 || len(j.Items) != 0 {
			t.Fatalf("a key of a job: %+v, %v", j, err)
		}
	}
	if j, err := s.ByKey(ctx, "t", "k"); err != nil || j.ID != late.ID || j.State != jobs.Queued {
		t.Errorf("%+v, %v", j, err)
	}
	if existing, err := s.Create(ctx, keyed(s, "k")); err != nil || existing == nil || existing.ID != late.ID {
		t.Errorf("%+v, %v", existing, err)
	}
}

// TestClaimOfTheDead: a process died between the deletion of a job and of its key.
func TestClaimOfTheDead(t *testing.T) {
	c := newCloud(t)
	s := open(t, Options{URL: c.place(t)})
	ctx := t.Context()
	for _, take := range []func(name string) (*jobs.Job, error){
		func(name string) (*jobs.Job, error) { return s.Claim(ctx, "t", name, "x", time.Now().Add(time.Minute)) },
		func(name string) (*jobs.Job, error) { return s.Create(ctx, keyed(s, name)) },
	} {
		name := token()
		spec := keyed(s, name)
		create(t, s, spec)
		if err := s.remove(ctx, jobKey(spec.ID), "", nil); err != nil {
			t.Fatal(err)
		}
		_, err := s.ByKey(ctx, "t", name)
		wantFault(t, err, fault.NotFound, "job_not_found")
		if existing, err := take(name); existing != nil || err != nil {
			t.Errorf("%+v, %v", existing, err)
		}
	}
}

// TestClaimFails: as all calls do; and one whose answer was lost is made again.
func TestClaimFails(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	until := time.Now().Add(time.Minute)
	p.loses("UpdateItem", 2)
	if j, err := s.Claim(t.Context(), "t", "k", "one", until); j != nil || err != nil || p.lost.Load() != 2 {
		t.Errorf("%+v, %v, after %d lost answers", j, err, p.lost.Load())
	}
	p.says(func(string) (int, string) { return 400, `{"__type":"AccessDeniedException","message":"no"}` })
	_, err := s.Claim(t.Context(), "t", "k", "one", until)
	wantFault(t, err, fault.Unavailable, "job_store_unavailable")
	_, err = s.ByKey(t.Context(), "t", "k")
	wantFault(t, err, fault.Unavailable, "job_store_unavailable")
}
