package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
)

// order is one block.
type order struct {
	Producers int  `json:"producers"`
	Jobs      int  `json:"jobs"`    // in the backlog, and again beside the workers
	Results   bool `json:"results"` // the handler writes a document
}

// times are in seconds.
type times struct {
	Enqueue float64 `json:"enqueue"` // all jobs, while nobody works
	Drain   float64 `json:"drain"`   // the same, by the workers, while nobody enqueues
	Both    float64 `json:"both"`    // as many again, enqueued while the workers work, until all are complete
}

const (
	kind  = "nothing"
	queue = "default"
	kept  = time.Hour // with its result, as the gateway's jobs are by default
	look  = 10 * time.Millisecond
	stuck = 2 * time.Minute
)

var document = []byte(`{"predictions":[{"label":"circle","index":0,"score":0.981}],"from_cache":false}`)

type bench struct {
	redis     asynq.RedisClientOpt
	client    *asynq.Client
	inspector *asynq.Inspector
	workers   int
	size      int
	complete  int // tasks of the blocks before
	handled   atomic.Int64
}

func newBench(redis asynq.RedisClientOpt, workers, size int) *bench {
	return &bench{redis: redis, client: asynq.NewClient(redis), inspector: asynq.NewInspector(redis), workers: workers, size: size}
}

func (b *bench) close() {
	_ = b.client.Close()
	_ = b.inspector.Close()
}

func (b *bench) run(o order) (t times, err error) {
	if o.Producers < 1 || o.Jobs < 1 {
		return t, fmt.Errorf("%d producers and %d jobs: there have to be some of each", o.Producers, o.Jobs)
	}
	begin := time.Now()
	if err := b.produce(o); err != nil {
		return t, err
	}
	t.Enqueue = time.Since(begin).Seconds()
	begin = time.Now()
	stop, err := b.work(o.Results)
	if err != nil {
		return t, err
	}
	defer stop()
	if err := b.wait(o.Jobs); err != nil {
		return t, err
	}
	t.Drain = time.Since(begin).Seconds()
	begin = time.Now()
	if err := b.produce(o); err != nil {
		return t, err
	}
	if err := b.wait(o.Jobs); err != nil {
		return t, err
	}
	t.Both = time.Since(begin).Seconds()
	return t, nil
}

// produce enqueues the jobs, each producer one after the other.
func (b *bench) produce(o order) error {
	var (
		all    sync.WaitGroup
		next   atomic.Int64
		failed = make([]error, o.Producers)
	)
	for p := range o.Producers {
		all.Go(func() {
			random := rand.NewChaCha8([32]byte{byte(p), byte(time.Now().UnixNano())})
			for next.Add(1) <= int64(o.Jobs) {
				payload := make([]byte, b.size)
				_, _ = random.Read(payload)
				if _, err := b.client.Enqueue(asynq.NewTask(kind, payload), asynq.Queue(queue), asynq.Retention(kept)); err != nil {
					failed[p] = err
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// work starts the workers. asynq's own pause between two looks at an empty queue is a second, which would be most of what is measured.
func (b *bench) work(results bool) (stop func(), err error) {
	server := asynq.NewServer(b.redis, asynq.Config{Concurrency: b.workers, TaskCheckInterval: look, LogLevel: asynq.ErrorLevel})
	err = server.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		defer b.handled.Add(1)
		if results {
			_, err := t.ResultWriter().Write(document)
			return err
		}
		return nil
	}))
	return server.Shutdown, err
}

// wait returns when so many more tasks are complete in Redis. It asks Redis only once all have been handled.
func (b *bench) wait(jobs int) error {
	b.complete += jobs
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(stuck); time.Now().Before(end); <-tick.C {
		if b.handled.Load() < int64(b.complete) {
			continue
		}
		info, err := b.inspector.GetQueueInfo(queue)
		if err != nil {
			return err
		}
		if info.Completed == b.complete && info.Active == 0 {
			return nil
		}
	}
	return fmt.Errorf("%d of %d tasks were handled within %v", b.handled.Load(), b.complete, stuck)
}
