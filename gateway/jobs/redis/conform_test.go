package redis

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/parts"
)

// TestConforms runs the contract on a clock that is set.
func TestConforms(t *testing.T) {
	server := parts.Redis(t)
	client := direct(t, server.URL())
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		c := jobstest.NewClock()
		return jobstest.Place{
			Open:    func(t *testing.T) jobs.Store { return open(t, Options{URL: server.URL(), Now: c.Now}) },
			Now:     c.Now,
			Advance: c.Advance,
		}
	})
}

// TestConformsByRedisTime runs the contract on the time of Redis, with its log on the disk.
func TestConformsByRedisTime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for real leases")
	}
	server := durable(t)
	client := direct(t, server.URL())
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return jobstest.Place{Open: func(t *testing.T) jobs.Store { return open(t, Options{URL: server.URL()}) }, Many: 200}
	})
}

// TestConformsInCluster runs the contract on a node that has one slot alone, that of the hash tag: it refuses every key in another.
func TestConformsInCluster(t *testing.T) {
	server := parts.Redis(t, parts.WithRedisArgs("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"))
	client := direct(t, server.URL())
	slot := int(client.ClusterKeySlot(t.Context(), "{a:b}:").Val())
	if err := client.ClusterAddSlotsRange(t.Context(), slot, slot).Err(); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "the cluster is up", time.Minute, func() bool { return client.Set(t.Context(), "{a:b}:", 1, 0).Err() == nil })
	if err := client.Set(t.Context(), "a", 1, 0).Err(); err == nil {
		t.Fatal("the node takes keys of other slots")
	}
	jobstest.Run(t, func(t *testing.T) jobstest.Place {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		c := jobstest.NewClock()
		return jobstest.Place{
			Open: func(t *testing.T) jobs.Store {
				return open(t, Options{URL: server.URL(), Now: c.Now, Cluster: true, Prefix: "a:b"})
			},
			Now: c.Now, Advance: c.Advance, Many: 100,
		}
	})
}
