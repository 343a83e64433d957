package cache

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// sharing says who may wait for a flight.
type sharing uint8

const (
	share   sharing = iota // join a running flight, or start one that others join
	lead                   // start one, that others may join where none is running
	private                // start one that nobody joins
)

// work is what a flight runs, once, for all who wait.
type work func(ctx context.Context) ([]byte, Outcome, error)

// flights are the computations under way. A flight runs on a goroutine and a context of its own, with the values of the caller that
// started it, and the class of the most urgent one; it outlives that caller while anybody waits, and is cancelled when the last one leaves.
type flights struct {
	log     *slog.Logger
	timeout time.Duration
	joined  atomic.Uint64 // answers given by another caller's flight

	mu      sync.Mutex
	running map[Key]*flight
	count   int // of all flights, private ones too
}

type flight struct {
	key    Key
	parent *flight // the flight in whose computation this one was asked for
	ctx    context.Context
	cancel context.CancelFunc

	waiters int              // guarded by flights.mu
	class   *priority.Shared // nil where nobody joins

	done    chan struct{} // closed when the fields below are final
	value   []byte
	outcome Outcome
	err     error
}

type flightKey struct{}

func newFlights(timeout time.Duration, log *slog.Logger) *flights {
	return &flights{log: log, timeout: timeout, running: map[Key]*flight{}}
}

// do gives the result of the key's flight. It returns early when ctx ends or the flight's deadline passes. A flight has the deadline of the
// caller that began it; one who joined it, and has more time, begins another when that has passed.
func (fs *flights) do(ctx context.Context, key Key, how sharing, run work) ([]byte, Outcome, error) {
	for {
		if ctx.Err() != nil {
			return nil, Outcome{}, ended(ctx)
		}
		f, follower := fs.board(ctx, key, how, run)
		landed := fs.wait(ctx, f)
		switch {
		case landed && f.err == nil && follower:
			fs.joined.Add(1)
			return f.value, Outcome{Hit: true, Detail: "shared"}, nil
		case landed && f.err == nil:
			return f.value, f.outcome, nil
		case ctx.Err() != nil && !landed:
			return nil, Outcome{}, ended(ctx)
		case follower && errors.Is(f.ctx.Err(), context.DeadlineExceeded):
			continue
		case landed:
			return nil, Outcome{}, f.err
		}
		return nil, Outcome{}, fault.New(fault.Timeout, "deadline_exceeded",
			"the answer was not ready in the time that the request allows; allow it more, up to limits.timeout, which is %v", fs.timeout).Wrap(context.DeadlineExceeded)
	}
}

// wait gives true when the flight has landed, and false, after leaving it, when ctx or the flight's time is over first.
func (fs *flights) wait(ctx context.Context, f *flight) bool {
	select {
	case <-f.done:
	case <-ctx.Done():
	case <-f.ctx.Done(): // done is closed first, so this alone is the flight's deadline
	}
	select {
	case <-f.done: // the result goes first, whatever else has ended
		return true
	default:
		fs.leave(f)
		return false
	}
}

// board joins the key's flight or starts one.
func (fs *flights) board(ctx context.Context, key Key, how sharing, run work) (f *flight, follower bool) {
	within, _ := ctx.Value(flightKey{}).(*flight)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	other := fs.running[key]
	if other != nil && how == share && !within.inside(other) {
		other.waiters++
		other.class.Raise(priority.From(ctx))
		return other, true
	}
	f = &flight{key: key, parent: within, waiters: 1, done: make(chan struct{})}
	values := context.WithValue(context.WithoutCancel(ctx), flightKey{}, f)
	if how != private {
		values, f.class = priority.Share(values)
	}
	deadline := time.Now().Add(fs.timeout)
	if own, ok := ctx.Deadline(); ok && own.Before(deadline) {
		deadline = own // goes down to the backend with every call
	}
	f.ctx, f.cancel = context.WithDeadline(values, deadline)
	if other == nil && how != private {
		fs.running[key] = f
	}
	fs.count++
	go fs.fly(f, run)
	return f, false
}

// inside reports whether f was started, at any depth, by other's computation: other cannot end before f does, so f must not wait for it.
func (f *flight) inside(other *flight) bool {
	for ; f != nil; f = f.parent {
		if f == other {
			return true
		}
	}
	return false
}

// leave takes one waiter off a flight. The last one cancels it, and takes it out of the list so that nobody joins what is ending.
func (fs *flights) leave(f *flight) {
	fs.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last || f.ctx.Err() != nil {
		fs.remove(f)
	}
	fs.mu.Unlock()
	if last {
		f.cancel()
	}
}

// remove needs mu.
func (fs *flights) remove(f *flight) {
	if fs.running[f.key] == f {
		delete(fs.running, f.key)
	}
}

func (fs *flights) fly(f *flight, run work) {
	returned := false
	defer func() {
		if !returned {
			reason := recover() // nil: the goroutine was ended by runtime.Goexit
			fs.log.Error("a computation panicked", "panic", reason, "stack", string(debug.Stack()))
			f.value, f.err = nil, fault.New(fault.Internal, "internal", "the answer could not be computed; the log has the cause")
		}
		fs.mu.Lock()
		fs.remove(f)
		fs.count--
		fs.mu.Unlock()
		close(f.done)
		f.cancel()
	}()
	f.value, f.outcome, f.err = run(f.ctx)
	returned = true
}

func (fs *flights) underway() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.count
}

// ended is the failure of a caller whose context ends first.
func ended(ctx context.Context) error {
	return fault.Ended(ctx.Err(), "before the answer was ready")
}
