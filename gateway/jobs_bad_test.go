package gateway

import (
	"net/http"
	"strings"
	"testing"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func roomy(c *Config, _ *jobs.Deps) { c.Jobs.Bytes = 16 << 20 }

// What is wrong is told at once, with its place, and nothing is enqueued.
func TestABadSubmissionIsRefused(t *testing.T) {
	j := newJobRig(t, true)
	png, img := "image/png", string(picture(1))
	form, empty := makeForm("@image", "", "@image", img)
	none, nothing := makeForm("top_k", "3")
	many, crowd := makeForm(strings.Split(strings.Repeat("@image,x,", 41), ",")[:82]...)
	for _, c := range []struct {
		query, kind, body string
		status            int
		code, place       string
	}{
		{"", png, img, 400, "invalid_request", "query.model"},
		{"model=", png, img, 400, "invalid_request", "query.model"},
		{"model=nope", png, img, 404, "model_not_found", ""},
		{"model=broken", png, img, 503, "backend_unavailable", ""},
		{"model=shapes&model=iris", png, img, 400, "invalid_request", "query.model"},
		{"model=shapes&version=9", png, img, 404, "version_not_found", ""},
		{"model=shapes&priority=urgent", png, img, 400, "invalid_request", "query.priority"},
		{"model=shapes&delay=-5s", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=-1", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=soon", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=NaN", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=1e300", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=999h", png, img, 400, "invalid_request", "query.delay"},
		{"model=shapes&delay=1s&run_at=2030-01-01T00:00:00Z", png, img, 400, "invalid_request", "query.run_at"},
		{"model=shapes&run_at=tomorrow", png, img, 400, "invalid_request", "query.run_at"},
		{"model=shapes&run_at=9999-01-01T00:00:00Z", png, img, 400, "invalid_request", "query.run_at"},
		{"model=shapes&result_ttl=0", png, img, 400, "invalid_request", "query.result_ttl"},
		{"model=shapes&result_ttl=1ms", png, img, 400, "invalid_request", "query.result_ttl"},
		{"model=shapes&deadline=0s", png, img, 400, "invalid_request", "query.deadline"},
		{"model=shapes&deadline=-1s", png, img, 400, "invalid_request", "query.deadline"},
		{"model=shapes&deadline=1s&delay=2s", png, img, 400, "invalid_request", "query.deadline"},
		{"model=shapes&attempts=0", png, img, 400, "invalid_request", "query.attempts"},
		{"model=shapes&attempts=21", png, img, 400, "invalid_request", "query.attempts"},
		{"model=shapes&attempts=two", png, img, 400, "invalid_request", "query.attempts"},
		{"model=shapes&webhook=http://127.0.0.1/x", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&webhook=http://169.254.169.254/latest", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&webhook=http://10.0.0.1/x", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&webhook=http://[::1]/x", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&webhook=ftp://example.org", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&webhook=http://8.8.8.8:22/", png, img, 400, "invalid_request", "query.webhook"},
		{"model=shapes&top_k=0", png, img, 400, "invalid_request", "query.top_k"},
		{"model=shapes&top_k=101", png, img, 400, "invalid_request", "query.top_k"},
		{"model=shapes&prioritty=batch", png, img, 400, "invalid_request", "query.prioritty"},
		{"model=shapes", "text/plain", img, 415, "unsupported_media_type", "header.Content-Type"},
		{"model=shapes", "", img, 415, "unsupported_media_type", "header.Content-Type"},
		{"model=shapes", png, "", 400, "invalid_request", "body"},
		{"model=shapes", png, strings.Repeat("x", testBodyLimit+1), 413, "body_too_large", "body"},
		{"model=iris", png, img, 400, "invalid_request", "body"},
		{"model=shapes", "application/json", `{"row":[1,2,3,4]}`, 400, "invalid_request", "body.row"},
		{"model=shapes", "application/json", `{"images":[]}`, 400, "invalid_request", "body.images"},
		{"model=shapes", "application/json", `{"images":[{"base64":"!!!!"},{"base64":"aGFsbG8="}]}`, 400, "invalid_request", "body.images[0].base64"},
		{"model=iris", "application/json", `{"rows":[]}`, 400, "invalid_request", "body.rows"},
		{"model=iris", "application/json", `{"rows":[[1,2,3,4],7]}`, 422, "invalid_row", "body.rows[1]"},
		{"model=iris", "application/json", `{"rows":`, 400, "invalid_request", "body.rows"},
		{"model=shapes", form, empty, 400, "invalid_request", "body.image[0]"},
		{"model=shapes", none, nothing, 400, "invalid_request", "body.image"},
		{"model=shapes", many, crowd, 413, "body_too_large", "body"},
	} {
		j.refused(t, c.status, c.code, c.place, c.query, c.kind, c.body)
	}
	for _, key := range [][]string{{"Idempotency-Key", ""}, {"Idempotency-Key", `""`}, {"Idempotency-Key", strings.Repeat("k", 256)}, {"Idempotency-Key", "é"}} {
		j.refused(t, 400, "invalid_request", "header.Idempotency-Key", "model=shapes", png, img, key...)
	}
	if _, puts := j.store.counts(); puts > 4 { // of the keys, which are checked with the rest
		t.Errorf("%d items were stored", puts)
	}
}

func TestAFullStoreRefuses(t *testing.T) {
	full := newJobRig(t, true, func(c *Config, _ *jobs.Deps) { c.Jobs.Waiting = 1 })
	full.submit(t, "model=shapes", "image/png", "a")
	res, text := full.do(t, "POST", "/v1/jobs?model=shapes", "image/png", "b")
	if p := decode[problemDoc](t, text); res.StatusCode != 429 || p.Code != "queue_full" || !strings.Contains(p.Detail, "jobs.waiting") || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
	}
	stored := newJobRig(t, true, func(c *Config, d *jobs.Deps) { c.Jobs.Stored = 1 })
	stored.store.fail = fault.New(fault.TooLarge, "job_store_full", "the disk is full")
	stored.refusedBy(t, 507, "job_store_full")
	stored.store.fail = fault.New(fault.Unavailable, "job_store_unavailable", "the store is away")
	stored.refusedBy(t, 503, "job_store_unavailable")
}

// refusedBy wants a submission to fail with a status and code, and no job in the store.
func (j *jobRig) refusedBy(t *testing.T, status int, code string) {
	t.Helper()
	res, text := j.do(t, "POST", "/v1/jobs?model=shapes", "image/png", "a")
	if p := decode[problemDoc](t, text); res.StatusCode != status || p.Code != code || p.Title == "" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if list, _, err := j.store.List(t.Context(), jobs.Filter{Limit: 10}); err != nil || len(list) > 0 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
}

func TestNoNewJobsWhileDraining(t *testing.T) {
	j := newJobRig(t, true)
	id := j.submit(t, "model=shapes", "image/png", "a").ID
	j.server.drain()
	for _, path := range []string{"/v1/jobs?model=shapes", "/v1/jobs/" + id + "/retry"} {
		res, text := j.do(t, "POST", path, "image/png", "b")
		if p := decode[problemDoc](t, text); res.StatusCode != 503 || p.Code != "draining" || !p.Retryable {
			t.Errorf("%d %s", res.StatusCode, text)
		}
	}
	if res, _ := j.do(t, "GET", "/v1/jobs/"+id, "", ""); res.StatusCode != 200 {
		t.Errorf("a job cannot be read: %d", res.StatusCode)
	}
}

func TestJobsThatAreOff(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ method, path string }{{"POST", "/v1/jobs?model=shapes"}, {"GET", "/v1/jobs"}, {"GET", "/v1/jobs/1"}, {"DELETE", "/v1/jobs/1"}, {"GET", "/v1/jobs/1/events"}, {"POST", "/v1/jobs/1/retry"}} {
		res, text := r.do(t, c.method, c.path, "image/png", "a")
		if p := decode[problemDoc](t, text); res.StatusCode != 404 || !strings.Contains(p.Detail, "jobs.queue") {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.StatusCode, text)
		}
	}
	// The preference cannot be kept, so infer answers as ever.
	res, text := r.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1)), "Prefer", "respond-async")
	if res.StatusCode != 200 || res.Header.Get("Preference-Applied") != "" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if _, text = r.do(t, "GET", "/readyz", "", ""); strings.Contains(text, `"jobs"`) {
		t.Errorf("readiness speaks of jobs: %s", text)
	}
}

// A store that is away keeps jobs from being handed in, and nothing else.
func TestReadinessWhileTheStoreIsAway(t *testing.T) {
	j := newJobRig(t, true)
	res, text := j.do(t, "GET", "/readyz", "", "")
	if doc := decode[readiness](t, text); res.StatusCode != 200 || !doc.Jobs.Ready {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	away := newJobRig(t, true)
	away.store.fail = fault.New(fault.Unavailable, "job_store_unavailable", "Redis does not answer")
	res, text = away.do(t, "GET", "/readyz", "", "")
	if doc := decode[readiness](t, text); res.StatusCode != 200 || doc.Jobs.Ready || doc.Jobs.Reason != "Redis does not answer" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if res, _ = away.do(t, "POST", "/v1/models/shapes/infer", "image/png", string(picture(1))); res.StatusCode != 200 {
		t.Errorf("infer: %d", res.StatusCode)
	}
	away.server.jobs.alone = true
	if res, text = away.do(t, "GET", "/readyz", "", ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a process for jobs alone: %d %s", res.StatusCode, text)
	}
}
