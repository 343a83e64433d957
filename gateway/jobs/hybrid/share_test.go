package hybrid_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// TestOverflow: realtime jobs go near while few wait there, all others far; what is done makes room.
func TestOverflow(t *testing.T) {
	r := newRig(t)
	for _, p := range []jobs.Priority{jobs.Interactive, jobs.Batch} {
		r.in(r.add(p), false)
	}
	for i := range 120 {
		if i == 60 {
			r.Advance(time.Second)
		}
		r.in(r.add(jobs.Realtime), i < 100)
	}
	for _, j := range r.take(5) {
		r.must(r.Settle(t.Context(), jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
	}
	r.Advance(time.Second)
	for i := range 6 {
		r.in(r.add(jobs.Realtime), i < 5)
	}
	if n := r.near.count("count"); n > 10 {
		t.Errorf("counted %d times", n)
	}
}

// TestBlobsGoAlong: to the store of the job, and to no other.
func TestBlobsGoAlong(t *testing.T) {
	r := newRig(t)
	for p, part := range map[jobs.Priority]*part{jobs.Realtime: r.near, jobs.Batch: r.far} {
		data := []byte(p)
		sum := sha256.Sum256(data)
		digest := hex.EncodeToString(sum[:])
		site, err := r.Choose(t.Context(), r.spec(p, ""))
		r.must(err)
		r.must(site.Put(t.Context(), digest, data))
		if got, err := part.Store.Blob(t.Context(), digest); err != nil || string(got) != string(p) {
			t.Errorf("%s: %q, %v", p, got, err)
		}
		if got, err := r.Blob(t.Context(), digest); err != nil || string(got) != string(p) {
			t.Errorf("%s: %q, %v", p, got, err)
		}
		if c, _ := part.Store.Count(t.Context()); c.Bytes != int64(len(data)) {
			t.Errorf("%s: %d bytes in its store", p, c.Bytes)
		}
	}
	// Put first and created without a choice, a realtime job takes its blobs along.
	data := []byte("moved")
	sum := sha256.Sum256(data)
	spec := r.spec(jobs.Realtime, "")
	spec.Items = []jobs.Item{{Blob: hex.EncodeToString(sum[:]), Size: 5}, {Blob: hex.EncodeToString(sum[:]), Size: 5}}
	r.must(r.Put(t.Context(), spec.Items[0].Blob, data))
	if _, err := r.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	r.in(spec.ID, true)
	if got, err := r.near.Store.Blob(t.Context(), spec.Items[0].Blob); err != nil || string(got) != "moved" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestKeys: one job for a key, whichever store it is in and whatever waits there.
func TestKeys(t *testing.T) {
	r := newRig(t)
	for range 100 {
		r.add(jobs.Realtime)
	}
	first := r.spec(jobs.Realtime, "k")
	if j, err := r.hand(first); err != nil || j != nil {
		t.Fatal(j, err)
	}
	r.in(first.ID, true) // a key has one home
	for _, p := range []jobs.Priority{jobs.Realtime, jobs.Batch, jobs.Interactive} {
		if j, err := r.hand(r.spec(p, "k")); err != nil || j == nil || j.ID != first.ID {
			t.Errorf("%s: %+v, %v", p, j, err)
		}
	}
	other := r.spec(jobs.Batch, "l")
	if j, err := r.hand(other); err != nil || j != nil {
		t.Fatal(j, err)
	}
	r.in(other.ID, false)
	if j, err := r.hand(r.spec(jobs.Realtime, "l")); err != nil || j == nil || j.ID != other.ID {
		t.Errorf("%+v, %v", j, err)
	}
	if j, err := r.ByKey(t.Context(), "t", "l"); err != nil || j.ID != other.ID {
		t.Errorf("%+v, %v", j, err)
	}
	// Many at once: one is created, through whichever way.
	var wait sync.WaitGroup
	created := make([]bool, 16)
	for i := range created {
		spec := r.spec(jobs.Realtime, "many")
		wait.Go(func() {
			j, err := r.hand(spec)
			created[i] = err == nil && j == nil
		})
	}
	wait.Wait()
	if n := len(slices.DeleteFunc(created, func(c bool) bool { return !c })); n != 1 {
		t.Errorf("%d were created", n)
	}
}

// TestNearFirst: the near store's jobs are taken first, also those that came later, and what is left of the wish is taken from the far one.
func TestNearFirst(t *testing.T) {
	r := newRig(t)
	for range 5 {
		r.add(jobs.Batch)
	}
	r.Advance(10 * time.Second)
	var near []string
	for range 3 {
		near = append(near, r.add(jobs.Realtime))
	}
	r.Advance(time.Second)
	var got []string
	for _, j := range r.take(5) {
		got = append(got, j.ID)
	}
	slices.Sort(got[:3])
	if len(got) != 5 || fmt.Sprint(got[:3]) != fmt.Sprint(near) {
		t.Errorf("taken %v, near are %v", got, near)
	}
	if n, f := time.Duration(r.near.granted.Load()), time.Duration(r.far.granted.Load()); n != 9*time.Second || f != 5*time.Minute || r.Term() != 9*time.Second {
		t.Errorf("leases of %v and %v, want those that the stores want", n, f)
	}
}

// TestFarDoesNotStarve: however many jobs come near, a batch job gets its turn once it has waited for its class's lead, and hardly before.
func TestFarDoesNotStarve(t *testing.T) {
	r := newRig(t)
	batch := r.add(jobs.Batch)
	for i := range 100 {
		r.add(jobs.Realtime)
		r.add(jobs.Realtime)
		j := r.take(1)[0]
		r.must(r.Settle(t.Context(), jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil))
		if j.ID == batch {
			if i < 7 {
				t.Errorf("after %d s", i)
			}
			return
		}
		r.Advance(time.Second)
	}
	t.Error("a batch job starves")
}

// TestPagesOfBoth: every job once, newest first, whatever comes and goes while the pages are turned.
func TestPagesOfBoth(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 50} {
		r := newRig(t)
		var want []string
		for i := range 40 {
			r.Advance(time.Second)
			want = append(want, r.add([]jobs.Priority{jobs.Realtime, jobs.Batch, jobs.Batch, jobs.Realtime, jobs.Realtime}[i*i%5]))
		}
		slices.Reverse(want)
		f := jobs.Filter{Limit: size}
		var got []string
		for {
			page, next, err := r.List(t.Context(), f)
			r.must(err)
			if len(page) > size {
				t.Fatalf("a page of %d", len(page))
			}
			for _, j := range page {
				got = append(got, j.ID)
			}
			if f.Cursor = next; next == "" {
				break
			}
			r.Advance(time.Second)
			r.add(jobs.Realtime)
			r.add(jobs.Batch)
			r.take(1)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("pages of %d: %v\nwant %v", size, got, want)
		}
	}
}

// TestPagesBeginLate: a store whose first job is on a late page, and which got a new one meanwhile.
func TestPagesBeginLate(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 21 {
		r.Advance(time.Second)
		p := jobs.Realtime
		if i >= 10 {
			p = jobs.Batch
		}
		want = append(want, r.add(p))
	}
	slices.Reverse(want)
	var got []string
	for f := (jobs.Filter{Limit: 3}); ; {
		page, next, err := r.List(t.Context(), f)
		r.must(err)
		for _, j := range page {
			got = append(got, j.ID)
		}
		if f.Cursor == "" {
			r.Advance(time.Second)
			r.add(jobs.Realtime)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pages %v\nwant %v", got, want)
	}
}

// FuzzCursor: what is no cursor is refused, and nothing breaks.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "e30", "eyJuIjp7fSwiZiI6e319", "eyJuIjp7ImMiOiJjMyJ9LCJmIjp7ImUiOnRydWV9fQ", "eyJuIjp7ImMiOiJ4In0sImYiOnt9fQ", strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newRig(t)
		r.add(jobs.Realtime)
		r.add(jobs.Batch)
		_, _, err := r.List(t.Context(), jobs.Filter{Limit: 1, Cursor: text})
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	})
}
