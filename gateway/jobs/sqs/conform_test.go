package sqs

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
)

// conform runs the contract on a clock that is set.
func conform(t *testing.T, c cloud) {
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		url, clock := c.place(t), newSky()
		return jobstest.Place{
			Open: func(t *testing.T) jobs.Store { return clock.open(t, url) }, Now: clock.Now, Advance: clock.Advance, Loose: true, Many: 60,
		}
	})
}

// TestConforms keeps blobs in a bucket.
func TestConforms(t *testing.T) {
	c := newCloud(t)
	c.options = "&bucket=BUCKET"
	conform(t, c)
}

// TestConformsWithoutBucket keeps them in the table, and its queues are FIFO.
func TestConformsWithoutBucket(t *testing.T) {
	c := newCloud(t)
	c.options = "&fifo=true"
	conform(t, c)
}

// TestConformsByRealTime lets SQS end the leases.
func TestConformsByRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for real leases")
	}
	c := newCloud(t)
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		url := c.place(t)
		return jobstest.Place{
			Open: func(t *testing.T) jobs.Store { return open(t, Options{URL: url}) }, Lease: 2 * time.Second, Loose: true, Many: 40,
		}
	})
}
