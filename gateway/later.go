package gateway

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// later keeps durations until there are some, and counts them then: one after the other they cost a third of what each costs in the middle of a
// request, whose own data it would push out of the processor's caches. Who reads calls all before. The zero value is ready.
type later struct {
	mu       sync.Mutex
	waiting  []duration
	counting sync.Mutex // held by who counts
	spare    []duration // of who counts
}

// duration is one that is to be counted, in one or two places.
type duration struct {
	in   prometheus.Observer
	also *durations // may be nil
	took time.Duration
}

const together = 64 // durations: some ten requests

// add leaves a duration, and counts all if there are enough.
func (l *later) add(d duration) {
	l.mu.Lock()
	l.waiting = append(l.waiting, d)
	enough := len(l.waiting) >= together
	l.mu.Unlock()
	if enough && l.counting.TryLock() { // otherwise somebody counts just now
		l.count()
		l.counting.Unlock()
	}
}

// all has counted what has been left until now when it returns.
func (l *later) all() {
	l.counting.Lock()
	defer l.counting.Unlock()
	l.count()
}

func (l *later) count() {
	l.mu.Lock()
	list := l.waiting
	l.waiting = l.spare[:0]
	l.mu.Unlock()
	for _, d := range list {
		d.in.Observe(d.took.Seconds())
		if d.also != nil {
			d.also.add(d.took)
		}
	}
	l.spare = list
}

// counted is a collector that has everything counted before it is read.
type counted struct {
	prometheus.Collector
	later *later
}

// Collect sends the figures.
func (c counted) Collect(out chan<- prometheus.Metric) {
	c.later.all()
	c.Collector.Collect(out)
}
