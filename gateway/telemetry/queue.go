package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

const (
	mostWaiting = 4096 // spans, some 2 KB each
	batchSize   = 512
	sendEvery   = time.Second
)

// queue is the line of ended spans. The library's own batch processor counts its drops for itself alone and reports failures to a global
// handler; this one tells both.
type queue struct {
	out     sdk.SpanExporter
	where   string
	timeout time.Duration // of one export
	log     *slog.Logger

	mu      sync.Mutex
	waiting []sdk.ReadOnlySpan
	closed  bool

	wake    chan struct{} // a batch is full
	flushes chan chan struct{}
	stop    chan struct{} // closed by Shutdown
	done    chan struct{}
	sending context.Context // ended when the time of Shutdown is over
	abort   context.CancelFunc

	sent, failed, dropped atomic.Uint64
	broken                bool // the latest export failed; run's own
}

var _ sdk.SpanProcessor = (*queue)(nil)

func newQueue(out sdk.SpanExporter, where string, timeout time.Duration, log *slog.Logger) *queue {
	q := &queue{out: out, where: where, timeout: timeout, log: log, wake: make(chan struct{}, 1), flushes: make(chan chan struct{}),
		stop: make(chan struct{}), done: make(chan struct{})}
	q.sending, q.abort = context.WithCancel(context.Background())
	return q
}

// OnStart does nothing: a span is of interest when it has ended.
func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd puts a span into the line, or drops it. It never waits for the collector.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	q.mu.Lock()
	if q.closed || len(q.waiting) >= mostWaiting {
		q.mu.Unlock()
		q.dropped.Add(1)
		return
	}
	q.waiting = append(q.waiting, s)
	full := len(q.waiting) == batchSize
	q.mu.Unlock()
	if full {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// run sends what waits, once a second or when there is a batch full, until Shutdown.
func (q *queue) run() {
	defer close(q.done)
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	spare := make([]sdk.ReadOnlySpan, 0, batchSize)
	for {
		var flushed chan struct{}
		select {
		case <-tick.C:
		case <-q.wake:
		case flushed = <-q.flushes:
		case <-q.stop:
			q.send(q.take(nil))
			return
		}
		list := q.take(spare)
		q.send(list)
		clear(list)
		spare = list[:0]
		if flushed != nil {
			close(flushed)
		}
	}
}

// take swaps the line for an empty one.
func (q *queue) take(empty []sdk.ReadOnlySpan) []sdk.ReadOnlySpan {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.waiting
	q.waiting = empty
	return list
}

// send exports in batches and counts what became of them. The first failure is logged, and the first success after it.
func (q *queue) send(list []sdk.ReadOnlySpan) {
	for len(list) > 0 {
		batch := list[:min(len(list), batchSize)]
		list = list[len(batch):]
		within, cancel := context.WithTimeout(q.sending, q.timeout)
		err := q.out.ExportSpans(within, batch)
		cancel()
		n := uint64(len(batch))
		if err == nil {
			q.sent.Add(n)
			if q.broken {
				q.log.Info("traces are sent again", "otlp", q.where)
			}
			q.broken = false
			continue
		}
		q.failed.Add(n)
		if !q.broken {
			q.log.Warn("traces cannot be sent and are dropped; requests go on as before", "otlp", q.where, "error", err.Error())
		}
		q.broken = true
	}
}

// ForceFlush sends what waits now and returns when that is done.
func (q *queue) ForceFlush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case q.flushes <- flushed:
	case <-q.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shutdown sends what waits, as long as ctx allows, and ends. Later spans are dropped.
func (q *queue) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	was := q.closed
	q.closed = true
	q.mu.Unlock()
	if was {
		<-q.done
		return nil
	}
	defer context.AfterFunc(ctx, q.abort)() // an export that hangs ends with ctx
	close(q.stop)
	<-q.done
	q.abort()
	return q.out.Shutdown(ctx)
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	waiting := len(q.waiting)
	q.mu.Unlock()
	return Stats{Sent: q.sent.Load(), Failed: q.failed.Load(), Dropped: q.dropped.Load(), Waiting: waiting}
}
