package jobstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// readable checks that a blob's bytes are there, or not.
func (r *rig) readable(digest, want string, there bool) {
	r.Helper()
	got, err := r.Blob(r.ctx, digest)
	if !there {
		r.refused(err, fault.NotFound, "")
		return
	}
	r.must(err)
	if string(got) != want {
		r.Fatalf("a blob of %d bytes, want %d others", len(got), len(want))
	}
}

func blobTwice(r *rig) {
	before, err := r.Count(r.ctx)
	r.must(err)
	sizes := []int{0, 1, 100, 40_000, 300_000, 3_000_000}
	total := 0
	for _, n := range sizes {
		data := bytes.Repeat([]byte{byte(n), 0, 255, '\n'}, n/4+1)[:n]
		total += n
		for range 2 {
			item := r.blob(string(data))
			r.readable(item.Blob, string(data), true)
		}
	}
	after, err := r.Count(r.ctx)
	r.must(err)
	if before.Bytes >= 0 && after.Bytes-before.Bytes != int64(total) {
		r.Errorf("%d bytes of blobs, want %d", after.Bytes-before.Bytes, total)
	}
	// What was given and what was got are the caller's own.
	data := []byte("mine")
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	r.must(r.Put(r.ctx, digest, data))
	data[0] = 'X'
	got, err := r.Blob(r.ctx, digest)
	r.must(err)
	got[1] = 'X'
	r.readable(digest, "mine", true)
}

func blobBad(r *rig) {
	for _, digest := range []string{"", "x", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("g", 64), strings.Repeat("a", 63), strings.Repeat("a", 65)} {
		r.refused(r.Put(r.ctx, digest, []byte("x")), fault.Invalid, "")
		r.readable(digest, "", false)
	}
	r.readable(strings.Repeat("a", 64), "", false)
}

// blobSwept: a blob that no job names goes an hour after it was last put; one that a job names stays as long as the job.
func blobSwept(r *rig) {
	named := r.blob("named")
	big := r.blob(strings.Repeat("named and big", 100_000))
	free, again := r.blob("free"), r.blob("put again")
	s := r.spec(0)
	s.Items = []jobs.Item{named, big, named} // one twice
	r.create(s)
	second := r.spec(0)
	second.Items = []jobs.Item{named}
	r.create(second)
	r.pass(58 * time.Minute)
	r.sweep()
	for _, i := range []jobs.Item{named, big, free, again} {
		if _, err := r.Blob(r.ctx, i.Blob); err != nil {
			r.Fatalf("a blob of %d bytes: %v", i.Size, err)
		}
	}
	r.blob("put again")
	r.pass(40 * time.Minute)
	r.sweep()
	r.readable(again.Blob, "put again", true)
	r.pass(24 * time.Hour)
	r.sweep()
	r.readable(again.Blob, "", false)
	r.readable(free.Blob, "", false)
	r.readable(named.Blob, "named", true)
	r.must2(r.Change(r.ctx, s.ID, jobs.Cancel))
	r.pass(2 * time.Hour)
	r.sweep()
	r.readable(big.Blob, "", false)
	r.readable(named.Blob, "named", true) // the second job needs it
	r.must2(r.Change(r.ctx, second.ID, jobs.Cancel))
	r.pass(2 * time.Hour)
	r.sweep()
	r.readable(named.Blob, "", false)
	if c, err := r.Count(r.ctx); err != nil || c.Bytes > 0 {
		r.Errorf("%d bytes are left: %v", c.Bytes, err)
	}
	r.readable(r.blob("named").Blob, "named", true)
}

func (r *rig) create(s *jobs.Spec) {
	r.Helper()
	existing, err := r.Create(r.ctx, s)
	r.must(err)
	if existing != nil {
		r.Fatalf("job %s exists", existing.ID)
	}
}

func sweepFinal(r *rig) {
	ttl := func(d time.Duration) func(*jobs.Spec) { return func(s *jobs.Spec) { s.ResultTTL = d } }
	short, long, waits := r.add(1, ttl(time.Minute)), r.add(1, ttl(3*time.Hour)), r.at(jobs.Realtime, r.now(), 24*time.Hour)
	for _, j := range r.take(2) {
		r.must(r.Settle(r.ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{good(0, `1`)}))
	}
	r.sweep()
	r.wants(short.ID, jobs.Succeeded, 1, 0, 0)
	r.pass(2 * time.Hour)
	r.sweep()
	_, err := r.Get(r.ctx, short.ID)
	r.refused(err, fault.NotFound, "job_not_found")
	_, err = r.Results(r.ctx, short.ID, 0, 10)
	r.refused(err, fault.NotFound, "job_not_found")
	_, err = r.Change(r.ctx, short.ID, jobs.Retry)
	r.refused(err, fault.NotFound, "job_not_found")
	r.has(long.ID, 0, 10, good(0, `1`))
	if got := r.pages(jobs.Filter{}, 10); len(got) != 2 {
		r.Errorf("%d jobs are listed, want 2", len(got))
	}
	// A retry takes a job out of the sweep's way.
	r.wants(waits, jobs.Queued, 0, 0, 0)
	r.must2(r.Change(r.ctx, waits, jobs.Cancel))
	r.must2(r.Change(r.ctx, waits, jobs.Retry))
	r.pass(2 * time.Hour)
	r.sweep()
	r.wants(waits, jobs.Queued, 0, 0, 0)
	_, err = r.Get(r.ctx, long.ID)
	r.refused(err, fault.NotFound, "job_not_found")
}

func counts(r *rig) {
	t := r.now().Add(-time.Minute)
	for i := range 3 {
		r.at(jobs.Batch, t, time.Duration(i)*time.Second)
	}
	r.at(jobs.Realtime, r.now(), time.Hour)
	first, second := r.at(jobs.Interactive, t, -time.Minute), r.at(jobs.Interactive, t, -30*time.Second)
	list := r.take(2)
	if r.place.Loose {
		return
	}
	if asJSON([]string{list[0].ID, list[1].ID}) != asJSON([]string{first, second}) {
		r.Fatal("not the oldest ones")
	}
	r.must(r.Settle(r.ctx, jobs.Lease{ID: first, Fence: list[0].Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
	c, err := r.Count(r.ctx)
	r.must(err)
	for p, want := range map[jobs.Priority]map[jobs.State]int{
		jobs.Realtime:    {jobs.Queued: 1},
		jobs.Interactive: {jobs.Running: 1, jobs.Succeeded: 1},
		jobs.Batch:       {jobs.Queued: 3},
	} {
		for _, s := range []jobs.State{jobs.Queued, jobs.Running, jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired} {
			if c.Jobs[p][s] != want[s] {
				r.Errorf("%d %s jobs are %s, want %d", c.Jobs[p][s], p, s, want[s])
			}
		}
	}
	if _, ok := c.Oldest[jobs.Realtime]; ok || !c.Oldest[jobs.Batch].Equal(t) || len(c.Oldest) != 1 {
		r.Errorf("oldest %v, want batch at %v alone", c.Oldest, t)
	}
}

// canceledContext: a caller that has left writes nothing, and is told so.
func canceledContext(r *rig) {
	s := r.spec(1)
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	_, err := r.Create(ctx, s)
	if !errors.Is(err, context.Canceled) {
		r.Errorf("create: %v", err)
	}
	_, err = r.Get(r.ctx, s.ID)
	r.refused(err, fault.NotFound, "job_not_found")
	r.add(1)
	if list, err := r.Lease(ctx, 1, r.place.Lease); !errors.Is(err, context.Canceled) || len(list) != 0 {
		r.Errorf("lease: %d jobs, %v", len(list), err)
	}
	r.take(1)
}

// blobPutWhileNamed: bytes that were put again while a job named them stay for an hour from then, for the job that may follow.
func blobPutWhileNamed(r *rig) {
	s := r.add(1)
	r.must2(r.Change(r.ctx, s.ID, jobs.Cancel))
	r.pass(50 * time.Minute)
	r.blob("item 0")
	r.pass(20 * time.Minute)
	r.sweep()
	_, err := r.Get(r.ctx, s.ID)
	r.refused(err, fault.NotFound, "job_not_found")
	r.readable(s.Items[0].Blob, "item 0", true)
	r.pass(2 * time.Hour)
	r.sweep()
	r.readable(s.Items[0].Blob, "item 0", false)
}
