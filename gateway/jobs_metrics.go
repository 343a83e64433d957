package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// jobCounts are the metrics of the work on jobs in this process.
type jobCounts struct {
	waited   *prometheus.HistogramVec
	took     *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	webhooks *prometheus.CounterVec
	now      func() time.Time
}

var _ jobs.Observer = (*jobCounts)(nil)

func newJobCounts() *jobCounts {
	long := func(name, help string) prometheus.HistogramOpts {
		o := histogram(name, help)
		o.Buckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400}
		return o
	}
	return &jobCounts{
		now: time.Now,
		waited: prometheus.NewHistogramVec(long("gateway_job_wait_seconds", "Time from when a job was due until a worker of this process took it."),
			[]string{"priority"}),
		took: prometheus.NewHistogramVec(long("gateway_job_duration_seconds", "Time from a job's first start until its end, by its final state; jobs that ended in this process."),
			[]string{"state", "priority"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_job_attempts_total",
			Help: "Times that a worker of this process had a job: the final state, poison for one whose input is at fault, retried for one whose attempt was lost, returned for one that was given back."},
			[]string{"outcome", "priority"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_job_webhooks_total", Help: "Calls of webhooks, by outcome: ok or failed."},
			[]string{"outcome"}),
	}
}

func (c *jobCounts) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.waited, c.took, c.attempts, c.webhooks}
}

// Leased implements jobs.Observer.
func (c *jobCounts) Leased(j *jobs.Job, waited time.Duration) {
	c.waited.WithLabelValues(string(j.Priority)).Observe(waited.Seconds())
}

// Settled implements jobs.Observer.
func (c *jobCounts) Settled(j *jobs.Job, o jobs.Outcome, _ time.Duration) {
	c.attempts.WithLabelValues(outcomeName(o), string(j.Priority)).Inc()
	if o.State.Final() {
		c.took.WithLabelValues(string(o.State), string(j.Priority)).Observe(max(c.now().Sub(j.Started), 0).Seconds())
	}
}

// outcomeName is what came of an attempt, in a word.
func outcomeName(o jobs.Outcome) string {
	switch {
	case o.State == jobs.Queued && o.Burn:
		return "retried"
	case o.State == jobs.Queued:
		return "returned"
	case o.State == jobs.Failed && o.Problem != nil && o.Problem.Poison:
		return "poison"
	}
	return string(o.State)
}

// Told implements jobs.Observer.
func (c *jobCounts) Told(ok bool) {
	outcome := "ok"
	if !ok {
		outcome = "failed"
	}
	c.webhooks.WithLabelValues(outcome).Inc()
}

// storeTimeout is how long Prometheus waits for the figures of the store.
const storeTimeout = 2 * time.Second

var (
	jobStates     = []jobs.State{jobs.Queued, jobs.Running, jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired}
	jobPriorities = []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}
)

// storeFigures is what a job store tells of itself.
type storeFigures interface {
	Stats(ctx context.Context) (*jobs.Counts, error)
}

// jobReadings are the figures of the job store, which all gateways on it share; they are read when Prometheus asks.
func jobReadings(store storeFigures, now func() time.Time) readings {
	return func() []reading {
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		c, err := store.Stats(ctx)
		var depth, oldest, bytes []labelled
		alive := 0.0
		if err == nil {
			alive = 1
			for _, p := range jobPriorities {
				for _, s := range jobStates {
					depth = append(depth, labelled{float64(c.Jobs[p][s]), []string{string(s), string(p)}})
				}
				oldest = append(oldest, labelled{oldestAge(c, p, now()).Seconds(), []string{string(p)}})
			}
			if c.Bytes >= 0 {
				bytes = one(float64(c.Bytes))
			}
		}
		return []reading{
			{"gateway_job_store_up", "1 if the job store answered, 0 if not; the other figures of the store are missing then.", nil, false, one(alive)},
			{"gateway_jobs", "Jobs in the store, which all gateways on it share.", []string{"state", "priority"}, false, depth},
			{"gateway_jobs_oldest_seconds", "How long the oldest job that is due has waited; 0 where none waits.", []string{"priority"}, false, oldest},
			{"gateway_jobs_stored_bytes", "Images and rows of jobs in the store; missing where the store does not know.", nil, false, bytes},
		}
	}
}

// oldestAge is how long the oldest due job of a class waits.
func oldestAge(c *jobs.Counts, p jobs.Priority, now time.Time) time.Duration {
	since, waits := c.Oldest[p]
	if !waits {
		return 0
	}
	return max(now.Sub(since), 0)
}

// jobStatsView is the part of /v1/stats that is about jobs.
type jobStatsView struct {
	Ready      bool              `json:"ready" doc:"The store answers"`
	Reason     string            `json:"reason,omitempty" doc:"Why it does not"`
	States     map[string]int    `json:"states" doc:"Jobs by state, of all gateways on the store" example:"{\"queued\":3,\"running\":1}"`
	Priorities []jobPriorityView `json:"priorities" doc:"The most urgent first"`
	Bytes      int64             `json:"bytes" doc:"Of images and rows in the store; -1 where it does not know"`
}

type jobPriorityView struct {
	Priority      string  `json:"priority" enum:"realtime,interactive,batch"`
	Queued        int     `json:"queued"`
	Running       int     `json:"running"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"How long the oldest job that is due has waited"`
}

// jobStats gives the figures of the store; nil where there are no jobs.
func (s *server) jobStats(ctx context.Context) *jobStatsView {
	if s.jobs.service == nil && isOff(s.jobs.refused) {
		return nil
	}
	v := &jobStatsView{States: map[string]int{}, Priorities: []jobPriorityView{}}
	c, err := s.jobs.figures(ctx)
	if err != nil {
		v.Reason, v.Bytes = faultOf(err).Detail, -1
		return v
	}
	v.Ready, v.Bytes = true, c.Bytes
	for _, p := range jobPriorities {
		for _, state := range jobStates {
			v.States[string(state)] += c.Jobs[p][state]
		}
		v.Priorities = append(v.Priorities, jobPriorityView{string(p), c.Jobs[p][jobs.Queued], c.Jobs[p][jobs.Running], oldestAge(c, p, s.now()).Seconds()})
	}
	return v
}

// figures asks the store for who probes this process, who does not wait long: a store that was away is asked again after a moment.
func (j *jobSide) figures(ctx context.Context) (*jobs.Counts, error) {
	service, err := j.ready()
	if err != nil {
		return nil, err
	}
	if away := j.away.Load(); away != nil && time.Since(away.since) < awayFor {
		return nil, away.err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c, err := service.Stats(ctx)
	switch fault.KindOf(err) {
	case fault.Timeout:
		err = fault.New(fault.Unavailable, "job_store_unavailable", "the job store does not answer").Wrap(err)
	case fault.Canceled:
		return nil, err
	}
	if err != nil {
		j.away.Store(&storeAway{err, time.Now()})
	}
	return c, err
}

const (
	probeTimeout = 500 * time.Millisecond
	awayFor      = 2 * time.Second
)

// storeAway is how the store failed, and when.
type storeAway struct {
	err   error
	since time.Time
}

// isOff reports whether the settings want no jobs.
func isOff(refused error) bool { return fault.KindOf(refused) == fault.NotFound }
