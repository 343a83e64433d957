// Package limit bounds what runs and what waits, so that a burst ends in quick refusals that say when to come again, and not in
// memory and latency without end. It knows nothing of what it limits.
package limit

import (
	"context"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

// Limiter lets some callers run, some wait in order of arrival, and refuses the others at once. Safe for concurrent use.
type Limiter struct {
	capacity int
	queue    int
	setting  string

	mu      sync.Mutex
	running int
	line    line
	hold    time.Duration // smoothed time between Acquire and release; 0: none ended yet
	refused uint64
	left    uint64
}

// Stats is what a limiter has at one moment. The counts are since its start.
type Stats struct {
	Running, Capacity int
	Waiting, Queue    int
	Refused           uint64        // turned away by a full queue
	Left              uint64        // gone while they waited
	Hold              time.Duration // smoothed time that a caller runs
}

const (
	smoothing = 8               // each new hold time counts for an eighth
	guess     = time.Second     // RetryAfter while no caller has ended yet
	longest   = 5 * time.Minute // RetryAfter at most
)

// New makes a limiter for so many callers at a time, at least 1, and so many more that wait, at least 0.
func New(running, waiting int) *Limiter {
	return &Limiter{capacity: max(running, 1), queue: max(waiting, 0), setting: "the limit"}
}

// Named sets the name of the setting that an error tells the reader to raise, such as "limits.decoders", and gives the limiter back.
func (l *Limiter) Named(setting string) *Limiter {
	l.setting = setting
	return l
}

// Acquire waits for its turn. The caller has to call release once it is done; calling it again does nothing. waited is 0 where there was a
// free place. Errors: Busy with code queue_full and RetryAfter where the queue is full, Canceled or Timeout where ctx ends first.
func (l *Limiter) Acquire(ctx context.Context) (release func(), waited time.Duration, err error) {
	if ctx.Err() != nil {
		return nil, 0, ended(ctx)
	}
	l.mu.Lock()
	if l.running < l.capacity && l.line.length == 0 {
		l.running++
		l.mu.Unlock()
		return l.release(), 0, nil
	}
	if l.line.length >= l.queue {
		err := l.refuse()
		l.mu.Unlock()
		return nil, 0, err
	}
	w := l.line.join(1)
	l.mu.Unlock()

	start := time.Now()
	select {
	case <-w.turn:
		return l.release(), time.Since(start), nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	if !l.line.leave(w) { // its turn came at the same moment: pass it on
		l.running--
		l.admit()
	}
	return nil, time.Since(start), ended(ctx)
}

// Full is nil if Acquire would give a place or a place in line now; otherwise the error that it would give, counted as a refusal.
func (l *Limiter) Full() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.capacity || l.line.length < l.queue {
		return nil
	}
	return l.refuse()
}

// refuse needs mu.
func (l *Limiter) refuse() error {
	l.refused++
	return fault.New(fault.Busy, "queue_full", "%d at work and %d waiting already; come again later or raise %s", l.running, l.line.length, l.setting).After(l.retryAfter())
}

// Stats gives the present figures.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{l.running, l.capacity, l.line.length, l.queue, l.refused, l.left, l.hold}
}

func (l *Limiter) release() func() {
	start, done := time.Now(), false
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if done {
			return
		}
		done = true
		hold := max(time.Since(start), 1)
		if l.hold == 0 {
			l.hold = hold
		}
		l.hold += (hold - l.hold) / smoothing
		l.running--
		l.admit()
	}
}

// admit gives free places to those who wait longest. It needs mu.
func (l *Limiter) admit() {
	for l.running < l.capacity && l.line.length > 0 {
		l.line.next()
		l.running++
	}
}

// retryAfter is the time that those who are here now need: each round of capacity callers takes one hold time. It needs mu.
func (l *Limiter) retryAfter() time.Duration {
	if l.hold == 0 {
		return guess
	}
	rounds := float64(l.line.length+l.running) / float64(l.capacity)
	return time.Duration(min(float64(l.hold)*rounds, float64(longest)))
}

// ended is the failure of a caller whose context ends before its turn.
func ended(ctx context.Context) error {
	return fault.Ended(ctx.Err(), "while the request waited for its turn")
}
