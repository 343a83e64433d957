package jobstest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// rig is a test with one store on an empty place.
type rig struct {
	*testing.T
	jobs.Store
	place Place
	ctx   context.Context
}

func newRig(t *testing.T, p Place) *rig {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Lease == 0 {
		p.Lease = 10 * time.Second
		if p.Advance == nil {
			p.Lease = 500 * time.Millisecond
		}
	}
	if p.Many == 0 {
		p.Many = 500
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return &rig{t, p.Open(t), p, ctx}
}

// now is the place's time, in whole milliseconds, which every store keeps.
func (r *rig) now() time.Time { return r.place.Now().UTC().Truncate(time.Millisecond) }

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	r.Helper()
	if r.place.Advance != nil {
		r.place.Advance(d)
		return
	}
	if d > 5*time.Second {
		r.Skipf("takes %v on a real clock", d)
	}
	select {
	case <-time.After(d):
	case <-r.ctx.Done():
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// refused wants an error of a kind and code; any code where that is "".
func (r *rig) refused(err error, kind fault.Kind, code string) {
	r.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || code != "" && e.Code != code {
		r.Fatalf("error %v, want kind %d, code %q", err, kind, code)
	}
	if e.Detail == "" {
		r.Errorf("error %v has no text", err)
	}
}

func (r *rig) lost(err error) { r.Helper(); r.refused(err, fault.Conflict, "lease_lost") }

// newID gives a job's id.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// blob stores bytes.
func (r *rig) blob(data string) jobs.Item {
	r.Helper()
	sum := sha256.Sum256([]byte(data))
	digest := hex.EncodeToString(sum[:])
	r.must(r.Put(r.ctx, digest, []byte(data)))
	return jobs.Item{Kind: jobs.Image, Name: "a.jpg", Blob: digest, Size: int64(len(data))}
}

// spec is a job of n items that may run at once; edit changes it.
func (r *rig) spec(n int, edit ...func(*jobs.Spec)) *jobs.Spec {
	r.Helper()
	now := r.now()
	s := &jobs.Spec{
		ID: newID(), Tenant: "t", Model: "shapes", Priority: jobs.Interactive, Created: now, RunAt: now, ResultTTL: time.Hour, Attempts: 3,
	}
	for i := range n {
		s.Items = append(s.Items, r.blob(fmt.Sprint("item ", i)))
	}
	for _, e := range edit {
		e(s)
	}
	return s
}

// add creates a job of n items.
func (r *rig) add(n int, edit ...func(*jobs.Spec)) *jobs.Spec {
	r.Helper()
	s := r.spec(n, edit...)
	existing, err := r.Create(r.ctx, s)
	r.must(err)
	if existing != nil {
		r.Fatalf("created job %s, got that %s exists", s.ID, existing.ID)
	}
	return s
}

func (r *rig) get(id string) *jobs.Job {
	r.Helper()
	j, err := r.Get(r.ctx, id)
	r.must(err)
	return j
}

// wants checks a job's state and counts.
func (r *rig) wants(id string, state jobs.State, done, bad, attempt int) *jobs.Job {
	r.Helper()
	j := r.get(id)
	if j.State != state || j.Done != done || j.Bad != bad || j.Attempt != attempt {
		r.Fatalf("job is %s with %d done, %d bad, attempt %d; want %s, %d, %d, %d", j.State, j.Done, j.Bad, j.Attempt, state, done, bad, attempt)
	}
	if j.State.Final() == j.Finished.IsZero() {
		r.Fatalf("job is %s and finished at %v", j.State, j.Finished)
	}
	return j
}

// take leases n jobs, one call after the other if need be.
func (r *rig) take(n int) (list []*jobs.Job) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); len(list) < n; {
		more, err := r.Lease(r.ctx, n-len(list), r.place.Lease)
		r.must(err)
		if len(more) > n-len(list) {
			r.Fatalf("asked for %d jobs, got %d", n-len(list), len(more))
		}
		if list = append(list, more...); time.Now().After(end) {
			r.Fatalf("got %d jobs, want %d", len(list), n)
		}
	}
	return list
}

// one leases a job that has to be the given one.
func (r *rig) one(id string) (*jobs.Job, jobs.Lease) {
	r.Helper()
	j := r.take(1)[0]
	if j.ID != id || j.State != jobs.Running || j.Fence < 1 || len(j.Items) != j.Total {
		r.Fatalf("leased %s, %s, fence %d, %d of %d items; want %s", j.ID, j.State, j.Fence, len(j.Items), j.Total, id)
	}
	return j, jobs.Lease{ID: j.ID, Fence: j.Fence}
}

// none wants that no job can be leased.
func (r *rig) none() {
	r.Helper()
	list, err := r.Lease(r.ctx, 10, r.place.Lease)
	r.must(err)
	if len(list) != 0 {
		r.Fatalf("leased %d jobs, the first one %s, attempt %d; want none", len(list), list[0].ID, list[0].Attempt)
	}
}

// until leases, getting nothing, until the job is in the given state.
func (r *rig) until(id string, state jobs.State) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		r.none()
		if j := r.get(id); j.State == state {
			return
		} else if time.Now().After(end) {
			r.Fatalf("job is %s, want %s", j.State, state)
		}
	}
}

// finish leases the job and settles it.
func (r *rig) finish(id string, state jobs.State, add ...jobs.Result) {
	r.Helper()
	_, l := r.one(id)
	r.must(r.Settle(r.ctx, l, jobs.Outcome{State: state}, add))
}

func good(index int, body string) jobs.Result {
	return jobs.Result{Index: index, Body: []byte(body)}
}

func bad(index int, body string) jobs.Result {
	return jobs.Result{Index: index, Body: []byte(body), Bad: true}
}

// has checks a job's results from the given one on.
func (r *rig) has(id string, from, limit int, want ...jobs.Result) {
	r.Helper()
	got, err := r.Results(r.ctx, id, from, limit)
	r.must(err)
	if a, b := asJSON(got), asJSON(want); len(got) != len(want) || len(want) > 0 && a != b {
		r.Fatalf("results\n%s\nwant\n%s", a, b)
	}
}

// asJSON is a value's form to compare by.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// sweep sweeps until there is nothing more.
func (r *rig) sweep() {
	r.Helper()
	for range 1000 {
		more, err := r.Sweep(r.ctx)
		r.must(err)
		if !more {
			return
		}
	}
	r.Fatal("sweeping does not end")
}
