// Package limit bounds what runs and what waits, so that a burst ends in quick refusals that say when to come again, and not in
// memory and latency without end. It knows nothing of what it limits.
package limit

import (
	"context"
	"sync"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

// Limiter lets some callers run, some wait, and refuses the others at once. Those who wait are served in order of arrival, and by priority where they are of several
// classes; where the line is full, one of a less urgent class makes room for one of a more urgent one. Safe for concurrent use.
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
	Refused           uint64        // turned away by a full queue, or out of it by somebody more urgent
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

// Under sets how classes share the line, and gives the limiter back.
func (l *Limiter) Under(p priority.Policy) *Limiter {
	l.line.Under(p)
	return l
}

// Acquire waits for its turn. The caller has to call release once it is done; calling it again does nothing. waited is 0 where there was a
// free place. Errors: Busy with code queue_full and RetryAfter where the queue is full, or became full of more urgent ones; Canceled or Timeout where ctx ends first.
func (l *Limiter) Acquire(ctx context.Context) (release func(), waited time.Duration, err error) {
	if ctx.Err() != nil {
		return nil, 0, ended(ctx)
	}
	l.mu.Lock()
	if l.running < l.capacity && l.line.Len() == 0 {
		l.running++
		l.mu.Unlock()
		return l.release(), 0, nil
	}
	if l.line.Len() >= l.queue {
		class := priority.From(ctx)
		out := l.line.Yielding(class)
		if out == nil {
			l.line.Refused(class)
			err := l.refuse(class)
			l.mu.Unlock()
			return nil, 0, err
		}
		l.line.turnOut(out, l.refuse(out.Class()))
	}
	w := l.line.join(ctx, 1)
	risen := l.line.Follow(ctx, w)
	l.mu.Unlock()

	for waits := true; waits; {
		select {
		case <-w.Value.turn:
			if w.Value.err != nil {
				return nil, time.Since(w.Since()), w.Value.err
			}
			return l.release(), time.Since(w.Since()), nil
		case <-risen:
			l.mu.Lock()
			risen = l.line.Follow(ctx, w)
			l.mu.Unlock()
		case <-ctx.Done():
			waits = false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	if !l.line.Leave(w) && w.Value.err == nil { // its turn came at the same moment: pass it on
		l.running--
		l.admit()
	}
	return nil, time.Since(w.Since()), ended(ctx)
}

// Full is nil if Acquire would give a place or a place in line now; otherwise the error that it would give, counted as a refusal.
func (l *Limiter) Full(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.capacity || l.line.Len() < l.queue {
		return nil
	}
	class := priority.From(ctx)
	if l.line.Yielding(class) != nil {
		return nil
	}
	l.line.Refused(class)
	return l.refuse(class)
}

// refuse makes the error of one of the class, and counts it. It needs mu.
func (l *Limiter) refuse(class priority.Class) error {
	l.refused++
	return fault.New(fault.Busy, "queue_full", "%d at work and %d waiting already; come again later or raise %s", l.running, l.line.Len(), l.setting).After(l.retryAfter(class))
}

// Stats gives the present figures.
func (l *Limiter) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{l.running, l.capacity, l.line.Len(), l.queue, l.refused, l.left, l.hold}
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

// admit gives free places to those whose turn it is. It needs mu.
func (l *Limiter) admit() {
	for l.running < l.capacity && l.line.Len() > 0 {
		now := time.Now()
		l.line.next(l.line.Next(now), now)
		l.running++
	}
}

// retryAfter is the time that those who are here now, and before one of the class, need: each round of capacity callers takes one hold time. It needs mu.
func (l *Limiter) retryAfter(class priority.Class) time.Duration {
	if l.hold == 0 {
		return guess
	}
	rounds := float64(l.line.Before(class)+l.running) / float64(l.capacity)
	return time.Duration(min(float64(l.hold)*rounds, float64(longest)))
}

// ended is the failure of a caller whose context ends before its turn.
func ended(ctx context.Context) error {
	return fault.Ended(ctx.Err(), "while the request waited for its turn")
}
