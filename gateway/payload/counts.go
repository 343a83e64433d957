package payload

import "sync/atomic"

// reason is why a pair was dropped.
type reason int

const (
	queueFull reason = iota
	queueBytes
	sinkFailed
	atShutdown
	reasons
)

// names are the reasons as metrics have them.
func (r reason) String() string {
	return [...]string{"queue_full", "queue_bytes", "sink_failed", "shutdown"}[r]
}

type counts struct {
	written atomic.Int64
	dropped [reasons]atomic.Int64
}

// Figures are what a log has counted since it began, and what waits now.
type Figures struct {
	Written int64 // pairs
	Dropped map[string]int64
	Waiting int   // pairs
	Bytes   int64 // of those that wait
}

// Figures reads the counts.
func (l *Log) Figures() Figures {
	f := Figures{Written: l.counts.written.Load(), Dropped: map[string]int64{}, Waiting: len(l.queue), Bytes: l.waiting.Load()}
	for r := range reasons {
		f.Dropped[r.String()] = l.counts.dropped[r].Load()
	}
	return f
}
