package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	logDelay   = 100 * time.Millisecond // that a line may wait for others
	logLine    = 256                    // bytes of a usual line
	logBatch   = 64 << 10               // bytes that do not wait for more
	logWaiting = 1 << 20                // bytes that may wait while the reader of the log is slow
	logEnd     = time.Second            // for the last lines, at the end
)

// Log writes JSON lines for callers that cannot wait: they leave a record, and a goroutine puts the lines together and writes many at a time, after
// 100 ms, when 64 KiB have come together, or at once after a record of level WARN or above. One line after the other costs much less than each in
// the middle of a request, whose own data it would push out of the processor's caches. Where the reader of the log falls behind, up to 1 MiB waits;
// what comes on top is dropped, and how much that was is the next line that is written. A process that crashes loses what has not been written.
type Log struct {
	out io.Writer

	mu      sync.Mutex
	waiting []entry
	size    int // about what the lines in waiting will take, in bytes
	closed  bool

	begun chan struct{} // there is a first line
	full  chan struct{} // there is no reason to wait for more
	stop  chan struct{}
	done  chan struct{}

	ending  sync.Once
	dropped atomic.Uint64

	// The goroutine's own.
	told  uint64       // of dropped
	batch bytes.Buffer // lines
	slogs slog.Handler // appends to batch
}

// entry is a record of texts and numbers, or a line that has been put together, with its line end.
type entry struct {
	record slog.Record
	line   []byte
}

// NewLog begins a log. Close it.
func NewLog(out io.Writer) *Log {
	l := &Log{out: out, begun: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	l.slogs = slog.NewJSONHandler(&l.batch, &slog.HandlerOptions{Level: slog.Level(math.MinInt)})
	go l.run()
	return l
}

// Dropped is how many lines have been lost, since too many waited or since writing failed.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// put takes an entry of about so many bytes. It never waits for the writer; after Close it writes by itself.
func (l *Log) put(e *entry, size int, urgent bool) {
	l.mu.Lock()
	if l.closed {
		defer l.mu.Unlock()
		l.write([]entry{*e})
		return
	}
	if l.size+size > logWaiting {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	first := len(l.waiting) == 0
	l.waiting = append(l.waiting, *e)
	l.size += size
	urgent = urgent || l.size >= logBatch
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
	var spare []entry
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
func (l *Log) flush(spare []entry) []entry {
	l.mu.Lock()
	list := l.waiting
	l.waiting, l.size = spare[:0], 0
	l.mu.Unlock()
	if len(list) > 0 && l.write(list) {
		if n := l.dropped.Load(); n != l.told {
			record := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were dropped: whoever reads the log is too slow, or could not be written to", 0)
			record.AddAttrs(slog.Uint64("lines", n-l.told))
			l.told = n
			l.put(&entry{record: record}, logLine, true)
		}
	}
	if cap(list) > 4*logBatch/logLine { // of a rare burst
		return nil
	}
	clear(list) // it would keep their texts alive
	return list
}

// write puts the lines together, and reports whether they are written; those that are not are dropped. Who writes in part says so by an error.
func (l *Log) write(list []entry) bool {
	l.batch.Reset()
	for i := range list {
		e := &list[i]
		if e.line != nil {
			l.batch.Write(e.line)
			continue
		}
		l.batch.Grow(logBatch / 16)
		if line, ok := appendRecord(l.batch.AvailableBuffer(), &e.record); ok {
			l.batch.Write(line)
		} else if err := l.slogs.Handle(context.Background(), e.record); err != nil {
			l.dropped.Add(1) // texts and numbers can all be written
		}
	}
	_, err := l.out.Write(l.batch.Bytes())
	if err != nil {
		l.dropped.Add(uint64(len(list)))
	}
	if l.batch.Cap() > 4*logBatch {
		l.batch = bytes.Buffer{}
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
