package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	writers      = 2
	writeQueue   = 256      // values that wait
	writeBytes   = 64 * mib // their bytes
	writeTimeout = 500 * time.Millisecond
	drainFor     = time.Second
	keepBuffer   = mib // a larger buffer is not kept between writes
)

// writer sends values to Redis behind the requests' back. What does not fit into its queue is dropped: it is computed again one day.
type writer struct {
	client  *redis.Client
	guard   *guard
	queue   chan write
	bytes   atomic.Int64
	pending atomic.Int64
	dropped atomic.Uint64
	written atomic.Uint64

	closing atomic.Bool
	drain   chan struct{}
	stop    context.CancelFunc
	workers sync.WaitGroup
}

type write struct {
	key Key
	it  item
}

// newWriter has a guard of its own: a Redis that is full or a replica refuses to write, but answers.
func newWriter(client *redis.Client, log *slog.Logger) *writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &writer{
		client: client, guard: newGuard("writing to Redis", writeTimeout, log),
		queue: make(chan write, writeQueue), drain: make(chan struct{}), stop: stop,
	}
	for range writers {
		w.workers.Go(func() { w.work(ctx) })
	}
	return w
}

// add takes a value into the queue, or drops it.
func (w *writer) add(one write) bool {
	size := int64(len(one.it.data))
	if w.closing.Load() || w.guard.breaker.State() == gobreaker.StateOpen {
		w.dropped.Add(1)
		return false
	}
	w.pending.Add(1)
	if w.bytes.Add(size) <= writeBytes {
		select {
		case w.queue <- one:
			return true
		default:
		}
	}
	w.dropped.Add(1)
	w.leave(size)
	return false
}

// leave takes a value off the books.
func (w *writer) leave(size int64) {
	w.bytes.Add(-size)
	w.pending.Add(-1)
}

func (w *writer) work(ctx context.Context) {
	var buffer []byte
	for {
		select {
		case one := <-w.queue:
			buffer = w.write(ctx, one, buffer)
			continue
		case <-w.drain:
		}
		for {
			select {
			case one := <-w.queue:
				buffer = w.write(ctx, one, buffer)
				continue
			default:
			}
			return
		}
	}
}

// write sends one value from buffer, which the client has done with when the call returns, and gives the buffer for the next one.
func (w *writer) write(ctx context.Context, one write, buffer []byte) []byte {
	defer w.leave(int64(len(one.it.data)))
	now := time.Now()
	buffer = seal(buffer[:0], one.key, one.it, now)
	left := min(one.it.expires.Sub(now), maxLife)
	err := errAway
	if left >= time.Millisecond && w.guard.breaker.State() != gobreaker.StateOpen {
		err = w.guard.try(ctx, func(ctx context.Context) error {
			return w.client.Set(ctx, entryName(one.key), buffer, left.Truncate(time.Millisecond)).Err()
		})
	}
	if err != nil {
		w.dropped.Add(1)
	} else {
		w.written.Add(1)
	}
	if cap(buffer) > keepBuffer {
		return nil
	}
	return buffer
}

// close writes what waits, for drainFor at most, and drops the rest.
func (w *writer) close() {
	w.closing.Store(true)
	close(w.drain)
	timer := time.AfterFunc(drainFor, w.stop)
	w.workers.Wait()
	timer.Stop()
	w.stop()
}
