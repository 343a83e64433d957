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

// promised is what the judge holds the gateway to. The slack is for running the job on a machine that is busy: a short run is one test among many, and what it
// would take for late is a job that nobody takes up again.
func promised() history.Rules {
	if long() {
		return history.Rules{Redelivery: 10 * time.Second, Slack: 5 * time.Second}
	}
	return history.Rules{Redelivery: 10 * time.Second, Slack: patience}
}

// long says whether tests of many minutes are wanted.
func long() bool { return os.Getenv("TRITON_GATEWAY_LONG") == "1" }

// planOf is a short run, or a long one of 5,000 jobs and 60 kills. TRITON_GATEWAY_SEED asks for another course of events, TRITON_GATEWAY_JOBS and
// TRITON_GATEWAY_KILLS for other numbers in a long run.
func planOf(t *testing.T) plan {
	t.Helper()
	p := plan{jobs: 200, every: 40 * time.Millisecond, kills: 5, most: 64, list: 40, wait: "1s", gap: func(r *rand.Rand) time.Duration {
		return 200*time.Millisecond + time.Duration(r.IntN(1500))*time.Millisecond
	}}
	p.seed = uint64(number(t, "TRITON_GATEWAY_SEED", 1))
	if long() {
		p.jobs, p.every, p.kills = number(t, "TRITON_GATEWAY_JOBS", 5000), 50*time.Millisecond, number(t, "TRITON_GATEWAY_KILLS", 60)
		p.gap = func(r *rand.Rand) time.Duration { // some kills come one upon the other, some leave time for all leases to end
			if r.IntN(4) == 0 {
				return 11*time.Second + time.Duration(r.IntN(3000))*time.Millisecond
			}
			return 500*time.Millisecond + time.Duration(r.IntN(3000))*time.Millisecond
		}
	}
	return p
}

// number is that of a variable.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number from 1 on", name, text)
	}
	return n
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
			noneLost(t, c.site(t), planOf(t), promised())
		})
	}
}

// TestNoJobIsLostOnAWS is the same on a server that speaks like SQS, DynamoDB and S3. That keeps all in memory, and is not killed; SQS hides a job for as long as the URL says.
func TestNoJobIsLostOnAWS(t *testing.T) {
	if !long() {
		t.Skip("the server answers too slowly for a short test; TRITON_GATEWAY_LONG=1 runs it")
	}
	p := planOf(t)
	p.most, p.list, p.wait = 24, 4, "10s" // each look at a job, and each picture, is a call of that server, which answers one at a time
	noneLost(t, awsSite(t), p, history.Rules{Redelivery: 10 * time.Second, Slack: 20 * time.Second})
}

// noneLost runs a plan on a site and judges what came of it.
func noneLost(t *testing.T, s *site, p plan, rules history.Rules) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	crowd := newCrowd(ctx, t, s, p)
	done := make(chan struct{})
	go func() { defer close(done); crowd.run() }()
	defer func() { cancel(); <-done }()
	s.havoc(t, p)
	crowd.enough()
	<-done
	crowd.lookAgain()
	v := s.history.Judge(rules)
	t.Log(v)
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
}
