package sqs

import (
	"os"
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

// long skips what takes minutes on moto, unless TRITON_GATEWAY_LONG is 1.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("TRITON_GATEWAY_LONG") != "1" {
		t.Skip("takes minutes; TRITON_GATEWAY_LONG=1 runs it")
	}
}

// TestConformsWithoutBucket keeps them in the table, and its queues are FIFO.
func TestConformsWithoutBucket(t *testing.T) {
	long(t)
	c := newCloud(t)
	c.options = "&fifo=true"
	conform(t, c)
}

// TestConformsByRealTime lets SQS end the leases.
func TestConformsByRealTime(t *testing.T) {
	long(t)
	c := newCloud(t)
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		url := c.place(t)
		return jobstest.Place{
			Open: func(t *testing.T) jobs.Store { return open(t, Options{URL: url}) }, Lease: 2 * time.Second, Loose: true, Many: 40,
		}
	})
}
