package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	logDelay   = 100 * time.Millisecond // that a line may wait for others
	logBatch   = 64 << 10               // bytes that do not wait for more
	logWaiting = 1 << 20                // bytes that may wait while the reader of the log is slow
	logEnd     = time.Second            // for the last lines, at the end
)

// Log writes JSON lines for callers that cannot wait: they leave a line, and a goroutine writes many at a time, after 100 ms, when 64 KiB have
// come together, or at once after a line of level WARN or above. Where the reader of the log falls behind, up to 1 MiB waits; what comes on top
// is dropped, and how much that was is the next line that is written. A process that crashes loses what has not been written.
type Log struct {
	out   io.Writer
	notes slog.Handler // for what the Log itself has to say

	mu      sync.Mutex
	waiting []byte
	lines   uint64 // in waiting
	closed  bool

	begun chan struct{} // there is a first line
	full  chan struct{} // there is no reason to wait for more
	stop  chan struct{}
	done  chan struct{}

	ending  sync.Once
	dropped atomic.Uint64
	told    uint64 // of dropped; run's own
}

// NewLog begins a log. Close it.
func NewLog(out io.Writer) *Log {
	l := &Log{out: out, begun: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	l.notes = l.Handler(slog.LevelWarn)
	go l.run()
	return l
}

// Dropped is how many lines have been lost, since too many waited or since writing failed.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// put takes a copy of a line, with its line end. It never waits for the writer; after Close it writes by itself.
func (l *Log) put(line []byte, urgent bool) {
	l.mu.Lock()
	if l.closed {
		defer l.mu.Unlock()
		// A copy, so that the lines of all other calls need not be on the heap.
		if _, err := l.out.Write(bytes.Clone(line)); err != nil {
			l.dropped.Add(1)
		}
		return
	}
	if len(l.waiting)+len(line) > logWaiting {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	first := len(l.waiting) == 0
	l.waiting = append(l.waiting, line...)
	l.lines++
	urgent = urgent || len(l.waiting) >= logBatch
	l.mu.Unlock()
	if first {
		signal(l.begun)
	}
	if urgent {
		signal(l.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told already
	}
}

// run writes until Close. It sleeps while there is nothing to write.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(logDelay)
	defer timer.Stop()
	spare := make([]byte, 0, 2*logBatch)
	for {
		select {
		case <-l.begun:
		case <-l.stop:
			l.finish()
			return
		}
		timer.Reset(logDelay)
		select {
		case <-timer.C:
		case <-l.full:
		case <-l.stop:
		}
		spare = l.flush(spare)
	}
}

// finish writes until nothing waits; from then on everybody writes by himself. The lock is not held while it writes: the reader may hang.
func (l *Log) finish() {
	for {
		l.mu.Lock()
		l.closed = len(l.waiting) == 0
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return
		}
		l.flush(nil)
	}
}

// flush writes what waits, puts spare in its place, and gives back what is spare now.
func (l *Log) flush(spare []byte) []byte {
	l.mu.Lock()
	list, lines := l.waiting, l.lines
	l.waiting, l.lines = spare[:0], 0
	l.mu.Unlock()
	if l.write(list, lines) {
		if n := l.dropped.Load(); n != l.told {
			record := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were dropped: whoever reads the log is too slow, or could not be written to", 0)
			record.AddAttrs(slog.Uint64("lines", n-l.told))
			l.told = n
			_ = l.notes.Handle(context.Background(), record)
		}
	}
	if cap(list) > 4*logBatch { // of a rare burst
		return nil
	}
	return list
}

// write reports whether the lines are written; those that are not are dropped. Who writes in part says so by an error.
func (l *Log) write(list []byte, lines uint64) bool {
	if len(list) == 0 {
		return false
	}
	_, err := l.out.Write(list)
	if err != nil {
		l.dropped.Add(lines)
	}
	return err == nil
}

// Close writes what waits, for 1 s at most, and ends the goroutine. Later lines are written at once, by who logs them.
func (l *Log) Close() error {
	l.ending.Do(func() { close(l.stop) })
	timer := time.NewTimer(logEnd)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C: // the reader hangs
	}
	return nil
}
