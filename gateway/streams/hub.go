// Package streams keeps what a model has answered on a stream for a while, so that a reader who has lost the connection goes on where he was. A run is not
// the request that began it: it goes on while its reader is away, for a short time, and ends when nobody has come back. What is kept is bounded in number,
// bytes and time, so that readers who never come cost little.
package streams

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// Limits bound what is kept. All are needed.
type Limits struct {
	Streams   int           // at one time, those included that have ended and are kept
	PerTenant int           // of them, of one tenant; "" is everybody where nobody is asked who they are, and has no such limit
	Readers   int           // of one stream at one time
	Events    int           // kept of one stream
	Bytes     int64         // of their data; a single event may not be larger
	Grace     time.Duration // that a run waits for a reader who is away, or who does not read
	Keep      time.Duration // that a stream can be read after its end
	Longest   time.Duration // that a run may take
}

// Run makes the events of a stream. emit keeps data, which it owns from then on; it waits for a reader who is behind, and its error ends the run.
type Run func(ctx context.Context, emit func(data []byte) error) error

// Hub has the streams of this process. It is safe for concurrent use. Close it at the end.
type Hub struct {
	limits Limits
	base   context.Context
	end    context.CancelCauseFunc
	runs   sync.WaitGroup

	mu      sync.Mutex
	closed  error // why no stream begins any more
	streams map[string]*Stream
	of      map[string]int // streams by tenant
	stats   Stats
}

// New makes a hub.
func New(l Limits) *Hub {
	h := &Hub{limits: l, streams: map[string]*Stream{}, of: map[string]int{}, stats: Stats{Ended: map[string]uint64{}}}
	h.base, h.end = context.WithCancelCause(context.Background())
	return h
}

// Start begins a run for a tenant and gives the first reader of its events, which the caller closes. about is
// what is to be told of the stream to whoever reads it; it is kept with it. The run has the values and the deadline of ctx, and does not end with it otherwise.
//
// Errors: Busy too_many_streams with RetryAfter; Draining.
func (h *Hub) Start(ctx context.Context, tenant string, about any, run Run) (*Reader, error) {
	end := time.Now().Add(h.limits.Longest)
	if own, limited := ctx.Deadline(); limited && own.Before(end) {
		end = own
	}
	timed, over := context.WithDeadlineCause(context.WithoutCancel(ctx), end, errTooLong)
	under, cancel := context.WithCancelCause(timed)
	s := &Stream{hub: h, id: rand.Text(), tenant: tenant, about: about, cancel: cancel, changed: make(chan struct{}), first: 1}
	r := &Reader{stream: s}
	s.readers = []*Reader{r} // before there is a timer, which may fire before it is stopped
	s.timer = time.AfterFunc(h.limits.Grace, s.abandon)
	s.timer.Stop()
	if err := h.add(s); err != nil {
		over()
		return nil, err
	}
	stop := context.AfterFunc(h.base, func() { cancel(context.Cause(h.base)) })
	go func() {
		defer h.runs.Done()
		err := s.make(under, run)
		stop()
		s.finish(err)
		over()
	}()
	return r, nil
}

// Open gives a reader of a tenant's stream that goes on after the event number from; 0 is the beginning. The caller closes it.
//
// Errors: NotFound stream_not_found, also for the streams of others; Invalid for a number that the stream has not come to; Busy for too many readers.
func (h *Hub) Open(tenant, id string, from int) (*Reader, error) {
	h.mu.Lock()
	s := h.streams[id]
	h.mu.Unlock()
	if s == nil || s.tenant != tenant {
		return nil, fault.New(fault.NotFound, "stream_not_found", "there is no stream of this id here; it is kept for %v after its end, by the gateway that began it", h.limits.Keep)
	}
	r, err := s.open(from)
	if err == nil {
		h.count(func(t *Stats) { t.Resumed++ })
	}
	return r, err
}

// Drain lets no stream begin any more, and ends those that still run after this time.
func (h *Hub) Drain(after time.Duration) {
	leaving := fault.New(fault.Draining, "draining", "this gateway is shutting down; ask another one").After(time.Second)
	h.mu.Lock()
	first := h.closed == nil
	h.closed = leaving
	h.mu.Unlock()
	if first {
		timer := time.AfterFunc(after, func() { h.end(leaving) })
		context.AfterFunc(h.base, func() { timer.Stop() })
	}
}

// Close ends all runs, waits for them and forgets all streams.
func (h *Hub) Close() error {
	h.Drain(0)
	h.end(fault.New(fault.Draining, "draining", "this gateway is shutting down; ask another one").After(time.Second))
	h.runs.Wait()
	h.mu.Lock()
	list := h.streams
	h.streams = map[string]*Stream{}
	h.mu.Unlock()
	for _, s := range list {
		s.forget()
	}
	return nil
}

// add takes a stream in. Where there is no room, the one that has ended longest ago makes it, if nobody reads it.
func (h *Hub) add(s *Stream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed != nil:
		return h.closed
	case s.tenant != "" && h.of[s.tenant] >= h.limits.PerTenant && !h.makeRoom(func(o *Stream) bool { return o.tenant == s.tenant }):
		return busy("%d streams of this tenant are open or kept already; come again when some have ended", h.limits.PerTenant)
	case len(h.streams) >= h.limits.Streams && !h.makeRoom(func(*Stream) bool { return true }):
		return busy("%d streams are open or kept already; come again when some have ended, or raise streams.most", h.limits.Streams)
	}
	h.streams[s.id] = s
	h.of[s.tenant]++
	h.stats.Started++
	h.runs.Add(1) // under mu, so that Close waits for it
	return nil
}

func busy(format string, n int) error {
	return fault.New(fault.Busy, "too_many_streams", format, n).After(time.Second)
}

// makeRoom drops the stream that ended first of those that fit and are not read. It needs mu.
func (h *Hub) makeRoom(fits func(*Stream) bool) bool {
	var oldest *Stream
	for _, s := range h.streams {
		if fits(s) {
			if at, free := s.restsSince(); free && (oldest == nil || at.Before(oldest.endedAt)) {
				oldest = s
			}
		}
	}
	if oldest == nil {
		return false
	}
	h.drop(oldest)
	return true
}

// drop needs mu.
func (h *Hub) drop(s *Stream) {
	if h.streams[s.id] != s {
		return
	}
	delete(h.streams, s.id)
	if h.of[s.tenant]--; h.of[s.tenant] <= 0 {
		delete(h.of, s.tenant)
	}
}

func (h *Hub) remove(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
}

func (h *Hub) count(f func(*Stats)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.stats)
}

// make calls run. A panic is an error of the run.
func (s *Stream) make(ctx context.Context, run Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "internal", "").Wrap(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause // it says more than that the call was cancelled
		}
	}()
	return run(ctx, func(data []byte) error { return s.emit(ctx, data) })
}

var errTooLong = fault.New(fault.Timeout, "deadline_exceeded", "the stream took longer than its caller, or streams.longest, allows")
