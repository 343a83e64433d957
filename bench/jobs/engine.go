package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/redis"
	"triton-gateway/gateway/pipeline"
)

const (
	model   = "nothing"
	workers = 4
	size    = 1024 // bytes of one job's payload, like no other's
	kept    = time.Hour
	stuck   = 2 * time.Minute
)

// nothing is a model that answers at once, and what reads its items.
type nothing struct{}

// Run implements jobs.Runner. The document is complete but for its last value.
func (nothing) Run(_ context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	return &pipeline.Answer{Model: r.Model, Body: []byte(`{"predictions":[{"label":"circle","index":0,"score":0.981}],"from_cache":`)}, nil
}

// Decode implements jobs.Decoder.
func (nothing) Decode(spec *jobs.Spec, _ int, data []byte) (*pipeline.Request, error) {
	return &pipeline.Request{Model: spec.Model, Item: pipeline.Item{Image: pipeline.NewBody(data, nil)}}, nil
}

func problem(*jobs.Spec, int, error) ([]byte, bool) { return []byte(`{}`), false }

// Engine is the gateway's own engine on a Redis, in this process.
type Engine struct {
	service  *jobs.Service
	store    *redis.Store
	stop     context.CancelFunc
	keeping  sync.WaitGroup
	complete int          // jobs of the blocks before
	settled  atomic.Int64 // that are final in Redis
}

// apart is a store that writes the bytes of a job before the job, each by itself, as it has to where they are many.
type apart struct {
	jobs.Store
	jobs.Waker
}

// Start makes an engine on the Redis of that URL, with names of its own. It keeps house as a gateway does, until Close. inOne says whether a job is written
// with its bytes, as it usually is.
func Start(ctx context.Context, url, names string, inOne bool) (*Engine, error) {
	store, err := redis.Open(ctx, redis.Options{URL: url, Prefix: names, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	e := &Engine{store: store}
	used := jobs.Store(store)
	if !inOne {
		used = apart{store, store}
	}
	e.service = jobs.New(jobs.Deps{Store: used, Runner: nothing{}, Decoder: nothing{}, Problem: problem, Observer: e,
		Limits: jobs.Limits{Workers: workers, ResultTTL: kept}})
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.keeping.Go(func() { e.service.Keep(ctx) })
	return e, nil
}

// Close ends it.
func (e *Engine) Close() error {
	e.stop()
	e.keeping.Wait()
	return e.store.Close()
}

// Leased implements jobs.Observer.
func (e *Engine) Leased(*jobs.Job, time.Duration) {}

// Told implements jobs.Observer.
func (e *Engine) Told(bool) {}

// Settled implements jobs.Observer. A job that did not succeed is not counted, and so ends the block by its time.
func (e *Engine) Settled(_ *jobs.Job, o jobs.Outcome, _ time.Duration) {
	if o.State == jobs.Succeeded {
		e.settled.Add(1)
	}
}

// Run is one block.
func (e *Engine) Run(ctx context.Context, o Order) (t Times, err error) {
	begin := time.Now()
	if err := e.produce(ctx, o); err != nil {
		return t, err
	}
	t.Enqueue = since(begin)
	begin = time.Now()
	working, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { e.service.Work(working) })
	defer func() { stop(); work.Wait() }()
	if err := e.wait(ctx, o.Jobs); err != nil {
		return t, err
	}
	t.Drain = since(begin)
	begin = time.Now()
	if err := e.produce(ctx, o); err != nil {
		return t, err
	}
	if err := e.wait(ctx, o.Jobs); err != nil {
		return t, err
	}
	t.Both = since(begin)
	return t, nil
}

func (e *Engine) produce(ctx context.Context, o Order) error {
	var (
		all    sync.WaitGroup
		next   atomic.Int64
		failed = make([]error, o.Producers)
	)
	for p := range o.Producers {
		all.Go(func() {
			random := rand.NewChaCha8([32]byte{byte(p), byte(time.Now().UnixNano())})
			for next.Add(1) <= int64(o.Jobs) {
				payload := make([]byte, size)
				_, _ = random.Read(payload)
				in := &jobs.Submission{Model: model, Single: true, Items: jobs.Each([]jobs.Input{{Kind: jobs.Image, Data: payload}})}
				if _, _, err := e.service.Submit(ctx, in); err != nil {
					failed[p] = err
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// wait returns when so many more jobs have succeeded.
func (e *Engine) wait(ctx context.Context, jobs int) error {
	e.complete += jobs
	ctx, cancel := context.WithTimeout(ctx, stuck)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.settled.Load() < int64(e.complete) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d jobs succeeded: %w", e.settled.Load(), e.complete, ctx.Err())
		}
	}
	return nil
}

// Succeeded is how many jobs the store has that succeeded, to be compared with what was ordered.
func (e *Engine) Succeeded(ctx context.Context) (int, error) {
	c, err := e.store.Count(ctx)
	if err != nil {
		return 0, err
	}
	return c.Jobs[jobs.Interactive][jobs.Succeeded], nil
}
