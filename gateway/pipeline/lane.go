package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

const (
	smoothing  = 8               // each call that ended counts for an eighth
	learning   = 8               // calls that have to end before an estimate is trusted
	longest    = 5 * time.Minute // RetryAfter at most
	firstGuess = time.Second     // RetryAfter while no call has ended
)

// lane is the calls of one model.
type lane struct {
	mu      sync.Mutex
	running int
	bytes   int64
	ended   uint64
	refused uint64
	hold    time.Duration // smoothed time from enter to release: it contains the waiting
	of      [priority.Classes]classCalls
}

// classCalls are those of one class. What it takes for one says little about another, because the more urgent one does not wait for it.
type classCalls struct {
	running int
	ended   uint64
	hold    time.Duration // as a lane's
	beside  float64       // smoothed number of calls that were under way when those that ended came, and not less urgent; themselves included
}

// share is what a class may take of a limit.
func share(class priority.Class, limit int64) int64 {
	switch class {
	case priority.Realtime:
		return limit + limit/8
	case priority.Batch:
		return limit - limit/4
	}
	return limit
}

// full is why a call cannot come in now. It needs mu.
func (l *lane) full(ctx context.Context, a *Admission, model string, class priority.Class, body int64) error {
	left := a.Timeout
	if deadline, limited := ctx.Deadline(); limited {
		left = max(time.Until(deadline), 0)
	}
	c := &l.of[class.Index()]
	expected := l.expected(class, a.Parallel)
	switch {
	case int64(l.running) >= share(class, int64(a.Items)):
		return l.busy(a, class, l.retryAfter(class), "%d calls of model %q are at work or wait already; come again later or raise limits.model_items", l.running, model)
	case l.bytes > 0 && body > share(class, a.Bytes)-l.bytes:
		return l.busy(a, class, l.retryAfter(class), "the calls of model %q that are at work hold %d bytes already; come again later or raise limits.model_bytes", model, l.bytes)
	case l.running > 0 && c.ended >= learning && expected > left:
		return l.busy(a, class, min(expected-left, longest), "%d calls of model %q are at work or wait already: this one would take about %v, and %v are left; come again later or allow more time",
			l.running, model, rounded(expected), rounded(left))
	}
	return nil
}

func (l *lane) enter(ctx context.Context, a *Admission, model string, body int64) (func(), error) {
	class := priority.From(ctx)
	start := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.full(ctx, a, model, class, body); err != nil {
		return nil, err
	}
	l.running++
	l.bytes += body
	l.of[class.Index()].running++
	beside, done := l.ahead(class), false
	return func() {
		took := time.Since(start)
		l.mu.Lock()
		defer l.mu.Unlock()
		if done {
			return
		}
		done = true
		l.running--
		l.bytes -= body
		l.of[class.Index()].running--
		l.learn(class, max(took, 1), float64(beside))
	}, nil
}

// ahead is how many calls are under way that are not less urgent. It needs mu.
func (l *lane) ahead(class priority.Class) (n int) {
	for i := range class.Index() + 1 {
		n += l.of[i].running
	}
	return n
}

func (l *lane) learn(class priority.Class, took time.Duration, beside float64) {
	c := &l.of[class.Index()]
	if l.ended == 0 {
		l.hold = took
	}
	if c.ended == 0 {
		c.hold, c.beside = took, beside
	}
	l.ended++
	c.ended++
	l.hold += (took - l.hold) / smoothing
	c.hold += (took - c.hold) / smoothing
	c.beside += (beside - c.beside) / smoothing
}

// expected is how long a call would take that comes now: as long as the last ones, and longer by as much as there are more calls under way than
// they found, or than run side by side. It needs mu.
func (l *lane) expected(class priority.Class, parallel int) time.Duration {
	c := &l.of[class.Index()]
	hold := c.hold
	if c.ended == 0 {
		hold = l.hold
	}
	crowd := float64(l.ahead(class)+1) / max(c.beside, float64(parallel), 1)
	return time.Duration(min(float64(hold)*max(crowd, 1), float64(24*time.Hour)))
}

// retryAfter is when most of those who are here now have gone. It needs mu.
func (l *lane) retryAfter(class priority.Class) time.Duration {
	if l.ended == 0 {
		return firstGuess
	}
	return min(l.expected(class, 1), longest)
}

// busy counts and makes a refusal. It needs mu.
func (l *lane) busy(a *Admission, class priority.Class, after time.Duration, format string, args ...any) error {
	l.refused++
	a.Meter.Refused(class)
	return fault.New(fault.Busy, "queue_full", "%s", fmt.Sprintf(format, args...)).After(after)
}

// rounded is a time in three digits, for people.
func rounded(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Microsecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Microsecond)
}
