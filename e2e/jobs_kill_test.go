package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"triton-gateway/e2e/history"
)

// promised is what the judge holds the gateway to. The slack is for running the job on a machine that is busy.
var promised = history.Rules{Redelivery: 10 * time.Second, Slack: 5 * time.Second}

// long says whether tests of many minutes are wanted.
func long() bool { return os.Getenv("TRITON_GATEWAY_LONG") == "1" }

// planOf is a short run, or a long one of 5,000 jobs and 60 kills. TRITON_GATEWAY_SEED asks for another course of events.
func planOf(t *testing.T) plan {
	t.Helper()
	p := plan{seed: 1, jobs: 200, every: 40 * time.Millisecond, kills: 5, gap: func(r *rand.Rand) time.Duration {
		return 200*time.Millisecond + time.Duration(r.IntN(1500))*time.Millisecond
	}}
	if text := os.Getenv("TRITON_GATEWAY_SEED"); text != "" {
		var err error
		if p.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if long() {
		p.jobs, p.every, p.kills = 5000, 80*time.Millisecond, 60
		p.gap = func(r *rand.Rand) time.Duration { // some kills come one upon the other, some leave time for all leases to end
			if r.IntN(3) == 0 {
				return 11*time.Second + time.Duration(r.IntN(3000))*time.Millisecond
			}
			return 500*time.Millisecond + time.Duration(r.IntN(3000))*time.Millisecond
		}
	}
	return p
}

// TestNoJobIsLost: whatever is killed, each job that was accepted ends with the right answer, once.
func TestNoJobIsLost(t *testing.T) {
	for _, c := range []struct {
		name string
		site func(*testing.T) *site
	}{
		{"sqlite", sqliteSite},
		{"redis", func(t *testing.T) *site {
			if long() {
				return redisSite(t, 2, 3)
			}
			return redisSite(t, 1, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := planOf(t)
			s := c.site(t)
			ctx, cancel := context.WithCancel(t.Context())
			crowd := newCrowd(ctx, t, s, p)
			done := make(chan struct{})
			go func() { defer close(done); crowd.run() }()
			defer func() { cancel(); <-done }()
			s.havoc(t, p)
			crowd.enough()
			<-done
			crowd.lookAgain()
			v := s.history.Judge(promised)
			t.Logf("%s: %v", c.name, v)
			for i, f := range v.Faults {
				if i == 20 {
					t.Errorf("and %d more", len(v.Faults)-i)
					break
				}
				t.Error(f)
			}
			if v.Jobs < p.jobs || v.Kills != p.kills {
				t.Errorf("only %d jobs and %d kills", v.Jobs, v.Kills)
			}
		})
	}
}
