package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/internal/fault"
)

// TestBadSubmissions: each is refused with its place, and nothing is in the store.
func TestBadSubmissions(t *testing.T) {
	secret := func(d *jobs.Deps) {
		d.Webhook.Secret = []byte("s")
		d.Limits.Items, d.Limits.Bytes = 3, 100
	}
	now := time.Now()
	for place, edits := range map[string][]func(*jobs.Submission){
		"query.model":      {func(s *jobs.Submission) { s.Model = "" }},
		"query.priority":   {func(s *jobs.Submission) { s.Priority = "urgent" }, func(s *jobs.Submission) { s.Priority = "Batch" }},
		"query.delay":      {func(s *jobs.Submission) { s.Delay = -1 }, func(s *jobs.Submission) { s.Delay = 1 << 62 }},
		"query.run_at":     {func(s *jobs.Submission) { s.Delay, s.RunAt = 1, now }, func(s *jobs.Submission) { s.RunAt = now.Add(800 * time.Hour) }},
		"query.result_ttl": {func(s *jobs.Submission) { s.ResultTTL = -1 }, func(s *jobs.Submission) { s.ResultTTL = time.Millisecond }, func(s *jobs.Submission) { s.ResultTTL = 1 << 62 }},
		"query.deadline": {func(s *jobs.Submission) { s.Deadline = -1 }, func(s *jobs.Submission) { s.Deadline = 1 << 62 },
			func(s *jobs.Submission) { s.Deadline, s.Delay = time.Second, time.Minute }},
		"query.attempts":         {func(s *jobs.Submission) { s.Attempts = -1 }, func(s *jobs.Submission) { s.Attempts = 21 }},
		"header.Idempotency-Key": {func(s *jobs.Submission) { s.Key = strings.Repeat("k", 256) }, func(s *jobs.Submission) { s.Key = "a\nb" }, func(s *jobs.Submission) { s.Key = "ü" }},
		"query":                  {func(s *jobs.Submission) { s.Options = json.RawMessage(`{`) }},
		"body":                   {func(s *jobs.Submission) { s.Items = jobs.Each(nil) }, named(strings.Repeat("n", 1025)), named("a\xff")},
		"query.webhook": {
			hook("ftp://example.com/"), hook("example.com/x"), hook("http://"), hook("http://u:p@example.com/"), hook("http://example.com:22/"), hook("http:x"), hook("https://a:b/"),
			hook("http://" + strings.Repeat("a", 2050)), hook("http://127.0.0.1/"), hook("http://[::1]/"), hook("http://10.1.2.3/"), hook("http://192.168.0.1/"),
			hook("http://169.254.169.254/latest/meta-data"), hook("http://[::ffff:10.0.0.1]/"), hook("http://[fd00::1]/"), hook("http://[fe80::1]/"), hook("http://localhost/"),
			hook("http://0.0.0.0/"), hook("http://224.0.0.1/"), hook("http://100.64.0.1/"), hook("http://[64:ff9b::a00:1]/"), hook("http://\x7f/"),
		},
	} {
		for i, edit := range edits {
			r := newRig(t, secret)
			in := submission("a")
			edit(in)
			j, created, err := r.Submit(t.Context(), in)
			if err == nil || created || j != nil {
				t.Errorf("%s %d: taken", place, i)
				continue
			}
			refused(t, err, fault.Invalid, "invalid_request", place)
			if list, _, _ := r.store.List(t.Context(), jobs.Filter{Limit: 10}); len(list) != 0 {
				t.Errorf("%s %d: there is a job", place, i)
			}
		}
	}
	r := newRig(t, secret)
	_, _, err := r.Submit(t.Context(), submission(texts(4)...))
	refused(t, err, fault.TooLarge, "body_too_large", "body")
	_, _, err = r.Submit(t.Context(), submission(strings.Repeat("a", 51), strings.Repeat("b", 50)))
	refused(t, err, fault.TooLarge, "body_too_large", "body")
	r = newRig(t)
	in := submission("a")
	in.Webhook = "https://example.com/"
	_, _, err = r.Submit(t.Context(), in)
	refused(t, err, fault.Invalid, "invalid_request", "query.webhook") // nothing to sign with
}

func hook(url string) func(*jobs.Submission) { return func(s *jobs.Submission) { s.Webhook = url } }

func named(name string) func(*jobs.Submission) {
	return func(s *jobs.Submission) {
		s.Items = jobs.Each([]jobs.Input{{Kind: jobs.Row, Name: name, Data: []byte("{}")}})
	}
}

func TestSpecOfSubmission(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 123456789, time.UTC)
	r := newRig(t, func(d *jobs.Deps) { d.Now = func() time.Time { return now } })
	in := submission("a", "b", "a")
	in.Priority, in.Version, in.Options, in.Cache, in.Delay, in.Deadline, in.ResultTTL, in.Attempts = jobs.Batch, "2", json.RawMessage(`{"top_k":1}`), "no-store", time.Minute, time.Hour, time.Minute, 5
	j := r.submit(in)
	at := now.Truncate(time.Millisecond)
	if !j.Created.Equal(at) || !j.RunAt.Equal(at.Add(time.Minute)) || !j.Deadline.Equal(at.Add(time.Hour)) || j.ResultTTL != time.Minute || j.Attempts != 5 ||
		j.Priority != jobs.Batch || j.Version != "2" || string(j.Options) != `{"top_k":1}` || j.Cache != "no-store" || j.Tenant != "t" {
		t.Errorf("%+v", j)
	}
	want := jobs.Item{Kind: jobs.Image, Name: "b.jpg", Blob: "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d", Size: 1} // of "b", by sha256sum
	if len(j.Items) != 3 || j.Items[1] != want || j.Items[0] != j.Items[2] {
		t.Errorf("items %+v", j.Items)
	}
	if data, err := r.store.Blob(t.Context(), want.Blob); err != nil || string(data) != "b" {
		t.Errorf("the bytes of b: %q, %v", data, err)
	}
	if c, _ := r.store.Count(t.Context()); c.Bytes != 2 {
		t.Errorf("%d bytes are stored, want 2: a is there once", c.Bytes)
	}
}

func TestIdempotencyKey(t *testing.T) {
	r := newRig(t)
	make := func(edit func(*jobs.Submission), items ...string) (*jobs.Job, bool, error) {
		in := submission(items...)
		in.Key = "k"
		edit(in)
		return r.Submit(t.Context(), in)
	}
	same := func(*jobs.Submission) {}
	first, created, err := make(same, "a", "b")
	if err != nil || !created {
		t.Fatal(created, err)
	}
	again, created, err := make(same, "a", "b")
	if err != nil || created || again.ID != first.ID {
		t.Errorf("the same again: %v, %v, %v", again, created, err)
	}
	for i, edit := range []func(*jobs.Submission){
		func(s *jobs.Submission) { s.Items = submission("b", "a").Items }, func(s *jobs.Submission) { s.Items = submission("a", "b", "c").Items },
		func(s *jobs.Submission) { s.Model = "other" }, func(s *jobs.Submission) { s.Version = "2" }, func(s *jobs.Submission) { s.Priority = jobs.Batch },
		func(s *jobs.Submission) { s.Options = json.RawMessage(`{}`) }, func(s *jobs.Submission) { s.Delay = time.Second }, func(s *jobs.Submission) { s.Deadline = time.Second },
	} {
		if _, _, err := make(edit, "a", "b"); err == nil {
			t.Errorf("another request %d was taken for the first", i)
		} else {
			refused(t, err, fault.Conflict, "conflict", "header.Idempotency-Key")
		}
	}
	if j, created, err := make(func(s *jobs.Submission) { s.Tenant = "u" }, "x"); err != nil || !created || j.ID == first.ID {
		t.Errorf("another tenant's key: %v, %v", created, err)
	}
}

// TestFullStore: limits of count and bytes refuse before anything is stored.
func TestFullStore(t *testing.T) {
	var puts atomic.Int64
	f := &faulty{Store: memory.New(nil), hook: func(call string) {
		if call == "put" {
			puts.Add(1)
		}
	}}
	r := newRig(t, func(d *jobs.Deps) { d.Store, d.Limits.Waiting = f, 3 })
	for i := range 3 {
		r.submit(submission(fmt.Sprint(i)))
	}
	_, _, err := r.Submit(t.Context(), submission("a"))
	refused(t, err, fault.Busy, "queue_full", "")
	var e *fault.Error
	if errors.As(err, &e); e.RetryAfter <= 0 {
		t.Error("it does not say when to come again")
	}
	r = newRig(t, func(d *jobs.Deps) { d.Store, d.Limits.Stored = f, 3 })
	_, _, err = r.Submit(t.Context(), submission("a"))
	refused(t, err, fault.TooLarge, "job_store_full", "")
	if puts.Load() != 3 {
		t.Errorf("%d blobs were put", puts.Load())
	}
	f.cut.Store(true)
	r = newRig(t, func(d *jobs.Deps) { d.Store = f })
	_, _, err = r.Submit(t.Context(), submission("a"))
	refused(t, err, fault.Unavailable, "job_store_unavailable", "")
}

// TestSubmissionFails: what goes wrong on the way leaves no job.
func TestSubmissionFails(t *testing.T) {
	r := newRig(t)
	broken := fault.New(fault.Invalid, "invalid_request", "the zip is torn")
	in := submission()
	in.Items = func(yield func(jobs.Input, error) bool) {
		_ = yield(jobs.Input{Kind: jobs.Image, Data: []byte("a")}, nil) && yield(jobs.Input{}, broken) && yield(jobs.Input{Kind: jobs.Image}, nil)
	}
	if _, _, err := r.Submit(t.Context(), in); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	in.Items = func(yield func(jobs.Input, error) bool) {
		for yield(jobs.Input{Kind: jobs.Image, Data: []byte("a")}, nil) {
			cancel()
		}
	}
	_, _, err := r.Submit(ctx, in)
	refused(t, err, fault.Canceled, "client_closed", "")
	if list, _, _ := r.store.List(t.Context(), jobs.Filter{Limit: 10}); len(list) != 0 {
		t.Error("there is a job")
	}
}

// TestIDs: 36 characters of Crockford's Base32, that sort by time and never meet.
func TestIDs(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	r := newRig(t, func(d *jobs.Deps) { d.Now = func() time.Time { return now } })
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{36}$`)
	var ids []string
	for range 200 {
		id := r.submit(submission("a")).ID
		if !form.MatchString(id) {
			t.Fatalf("id %q", id)
		}
		ids = append(ids, id)
		now = now.Add(time.Millisecond)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids do not sort by time")
	}
	if got := ids[0][:10]; got != "01HF7YAT00" { // the time of a ULID of that millisecond
		t.Errorf("time %s", got)
	}
	for at := 10; at < 36; at++ { // every character but the last, which has three bits, takes many values
		values := map[byte]bool{}
		for _, id := range ids {
			values[id[at]] = true
		}
		if want := map[bool]int{true: 8, false: 28}[at == 35]; len(values) < want || at == 35 && len(values) > 8 {
			t.Errorf("character %d takes %d values", at, len(values))
		}
	}
}
