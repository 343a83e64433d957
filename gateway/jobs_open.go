package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/hybrid"
	"triton-gateway/gateway/jobs/redis"
	"triton-gateway/gateway/jobs/sqlite"
	"triton-gateway/gateway/jobs/sqs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

const (
	// openStore is how long the start waits for a store that answers slowly.
	openStore = 3 * time.Second
	// openFile is the same for an SQLite file: what a killed process has left in it is put in order first, which a busy disk makes slow.
	openFile = 30 * time.Second
)

// openJobs opens the store and makes the service. It gives no service, and why, where there are no jobs. A store that is away is no error: it is asked again
// with every call.
func (g *Gateway) openJobs(ctx context.Context, runner *pipeline.Pipeline, counts *metrics) (service *jobs.Service, refused, err error) {
	c := &g.config.Jobs
	if c.Queue == queueOff {
		return nil, jobsOff(), nil
	}
	store, err := openQueue(ctx, c, g.log)
	if err != nil && c.Queue == defaultQueue {
		g.log.Warn("there are no jobs: their store cannot be made; name another with jobs.queue, or turn jobs off with jobs.queue: off", slog.String("queue", c.Queue.String()), slog.String("cause", err.Error()))
		return nil, fault.New(fault.Unavailable, "job_store_unavailable", "jobs cannot be kept: the gateway may not write its store (%s); the operator sets jobs.queue", c.Queue).Wrap(err), nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("jobs.queue: %w", err)
	}
	g.onClose(store.Close)
	allowed, err := c.allowed()
	if err != nil {
		return nil, nil, err
	}
	var observer jobs.Observer
	if !counts.off {
		observer = counts.jobs
	}
	service = jobs.New(jobs.Deps{
		Store: store, Runner: g.quotas.onQuota(jobRunner{runner, func(tenant string, a *pipeline.Answer, tier string) { g.server.observe(tenant, a, tier) }}), Decoder: jobDecoder{}, Problem: jobProblem, Log: g.log,
		Batch: g.batchOf,
		Limits: jobs.Limits{
			Workers: c.Workers, Parallel: max(16, 2*runtime.GOMAXPROCS(0)), Timeout: g.config.Limits.Timeout, Attempts: c.Attempts, ResultTTL: c.ResultTTL,
			Items: c.Items, Bytes: int64(c.Bytes), Waiting: c.Waiting, Stored: int64(c.Stored),
		},
		Webhook:  jobs.Webhook{Secret: []byte(c.WebhookSecret), Allow: allowed, Ports: c.WebhookPorts},
		Observer: observer,
	})
	counts.registry.MustRegister(jobReadings(service, time.Now))
	return service, nil, nil
}

// batchOf is how many items a model takes at once.
func (g *Gateway) batchOf(model, _ string) int {
	m, err := g.catalog.Lookup(model)
	if err != nil || m.Config == nil {
		return 0
	}
	return m.Config.MaxBatchSize
}

// openQueue opens the store that the settings name.
func openQueue(ctx context.Context, c *Jobs, log *slog.Logger) (jobs.Store, error) {
	p, err := c.Queue.parts()
	if err != nil {
		return nil, err
	}
	if p.One != "" {
		return openOne(ctx, p.One, c, log)
	}
	near, err := openOne(ctx, p.Realtime, c, log)
	if err != nil {
		return nil, fmt.Errorf("realtime: %w", err)
	}
	far, err := openOne(ctx, p.Batch, c, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("batch: %w", err), near.Close())
	}
	return hybrid.New(near, far, hybrid.Options{Overflow: p.Overflow, Log: log}), nil
}

// openOne opens one store by its URL.
func openOne(ctx context.Context, text string, c *Jobs, log *slog.Logger) (jobs.Store, error) {
	scheme, path, _ := strings.Cut(text, ":")
	patience := openStore
	if scheme == "sqlite" {
		patience = openFile
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch scheme {
	case "sqlite":
		return sqlite.Open(ctx, sqlite.Options{Path: strings.TrimPrefix(path, "//"), MaxBytes: int64(c.Stored)})
	case "redis", "rediss", "unix":
		return redis.Open(ctx, redis.Options{URL: text, MaxBytes: int64(c.Stored), Log: log})
	}
	return sqs.Open(ctx, sqs.Options{URL: text, Log: log})
}
