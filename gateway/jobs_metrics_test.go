package gateway

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func TestJobCounts(t *testing.T) {
	c := newJobCounts()
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }
	j := &jobs.Job{Spec: jobs.Spec{Priority: jobs.Batch}, Started: now.Add(-3 * time.Second)}
	for _, o := range []jobs.Outcome{{State: jobs.Succeeded}, {State: jobs.Queued}, {State: jobs.Queued, Burn: true}, {State: jobs.Failed, Burn: true, Problem: &jobs.Problem{}},
		{State: jobs.Failed, Problem: &jobs.Problem{Poison: true}}, {State: jobs.Canceled}, {State: jobs.Expired}} {
		c.Settled(j, o, time.Second)
	}
	for _, outcome := range []string{"succeeded", "returned", "retried", "failed", "poison", "cancelled", "expired"} {
		if n := testutil.ToFloat64(c.attempts.WithLabelValues(outcome, "batch")); n != 1 {
			t.Errorf("%s: %v", outcome, n)
		}
	}
	c.Leased(j, 2*time.Second)
	c.Told(true)
	c.Told(false)
	if n := testutil.CollectAndCount(c.took); n != 4 {
		t.Errorf("%d series of durations", n)
	}
	if testutil.ToFloat64(c.webhooks.WithLabelValues("ok")) != 1 || testutil.ToFloat64(c.webhooks.WithLabelValues("failed")) != 1 {
		t.Error("webhooks are not counted")
	}
}

func TestJobReadings(t *testing.T) {
	now := func() time.Time { return time.Unix(107, 0) }
	got := map[string]float64{}
	for _, r := range jobReadings(fakeFigures{}, now)() {
		for _, v := range r.values {
			key := r.name
			for _, l := range v.labels {
				key += " " + l
			}
			got[key] = v.value
		}
	}
	for key, want := range map[string]float64{"gateway_job_store_up": 1, "gateway_jobs queued batch": 3, "gateway_jobs failed batch": 1, "gateway_jobs queued realtime": 0,
		"gateway_jobs_oldest_seconds batch": 7, "gateway_jobs_oldest_seconds realtime": 0, "gateway_jobs_stored_bytes": 7} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v, %v; want %v", key, v, ok, want)
		}
	}
	for _, r := range jobReadings(fakeFigures{fault.New(fault.Unavailable, "job_store_unavailable", "away")}, now)() {
		if r.name == "gateway_job_store_up" && r.values[0].value != 0 || r.name != "gateway_job_store_up" && len(r.values) > 0 {
			t.Errorf("of a store that is away: %s %v", r.name, r.values)
		}
	}
}

func TestStatsOfJobs(t *testing.T) {
	j := newJobRig(t, true)
	j.submit(t, "model=shapes&priority=batch", "image/png", "a")
	_, text := j.do(t, "GET", "/v1/stats", "", "")
	v := decode[struct{ Jobs *jobStatsView }](t, text).Jobs
	if v == nil || !v.Ready || v.States["queued"] != 1 && v.States["queued"] != 0 || len(v.Priorities) != 3 || v.Priorities[2].Priority != "batch" {
		t.Errorf("%s", text)
	}
	if _, text = newRig(t).do(t, "GET", "/v1/stats", "", ""); decode[struct{ Jobs *jobStatsView }](t, text).Jobs != nil {
		t.Errorf("jobs are off: %s", text)
	}
}

// A code that a job keeps has the status that infer would have given.
func TestKindsOfCodes(t *testing.T) {
	for code, status := range map[string]int{"invalid_image": 422, "invalid_row": 422, "invalid_request": 400, "image_too_large": 413, "unsupported_media_type": 415, "model_not_found": 404,
		"queue_full": 429, "deadline_exceeded": 504, "upstream_error": 502, "upstream_contract": 502, "backend_unavailable": 503, "input_lost": 500, "internal": 500, "job_unreadable": 400, "worker_crashed": 400, "new": 500} {
		p := problemOfJob(&jobs.Job{Problem: &jobs.Problem{Code: code, Detail: "why"}})
		if p.Status != status || p.Code != code || p.Detail != "why" || p.Title == "" || p.Type != "urn:triton-gateway:error:"+code {
			t.Errorf("%s: %+v", code, p)
		}
	}
}
