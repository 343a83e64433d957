// Package payload writes what is asked and what is answered to a file or to a collector, as KServe's logger does, so that models can be watched for drift and
// requests be asked again. It exists apart from the ordinary log because it holds what callers send: it is off unless it is asked for, it takes a sample, it hides
// what must not be kept, and it drops rather than holds up a request.
package payload

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Mode says which halves of a request are written.
type Mode string

// The modes, by KServe's names.
const (
	Requests  Mode = "request"
	Responses Mode = "response"
	All       Mode = "all"
)

// Config says what is written, and where to. All fields but Redact, Headers and Namespace are needed.
type Config struct {
	Sink      string            // path of a file, or http:// or https:// URL
	Sample    float64           // share of requests, 0 to 1
	Mode      Mode              // which halves
	Redact    []string          // names of JSON members and tensors whose values are hidden, besides those of secrets
	Body      int               // bytes of one half; of larger ones the digest and the size are written
	Queue     int               // requests that wait to be written
	Bytes     int64             // of those that wait
	FileSize  int64             // bytes of a file, until it is put aside
	Files     int               // that are kept besides the one that is written
	Source    string            // of the events: who this gateway is
	Namespace string            // of Kubernetes; "": none
	Headers   map[string]string // sent to a collector
	Timeout   time.Duration     // of one event to a collector
}

// Pair is a request and what came of it. Its bytes belong to the log once it is added.
type Pair struct {
	ID        string    // of both events
	RequestID string    // what the caller calls the request, where that is another
	Model     string    // as asked for
	Version   string    // that answered; "": none did
	Tenant    string    // "" where authentication is off
	Outcome   string    // done, or the code of the failure
	Asked     time.Time // when the request came
	Answered  time.Time
	Request   []byte // JSON
	Response  []byte // JSON; nil where there is none, as after a failure
}

const (
	pairOverhead = 512              // bytes that a waiting pair takes besides its halves
	flush        = 3 * time.Second  // that Close waits for what is in the queue
	quietTime    = 30 * time.Second // between two lines about the same trouble
)

// sink is where events go.
type sink interface {
	// put writes the events of one pair: all, or none.
	put(ctx context.Context, events []event) error
	close() error
}

// Log is a payload log. It is safe for concurrent use.
type Log struct {
	Config
	log     *slog.Logger
	seed    maphash.Seed
	least   uint64 // hashes below are in the sample
	redact  redactor
	sink    sink
	queue   chan Pair
	waiting atomic.Int64 // bytes
	closed  atomic.Bool
	stop    chan struct{} // closed: no more pairs come
	workers sync.WaitGroup
	cancel  context.CancelFunc // of what is being written
	counts  counts

	mu    sync.Mutex
	moans time.Time // when trouble with the sink was last told
}

// New opens the sink and begins to write. Errors name the setting without its section.
func New(c Config, log *slog.Logger) (*Log, error) {
	l := &Log{Config: c, log: log, seed: maphash.MakeSeed(), redact: newRedactor(c.Redact), queue: make(chan Pair, c.Queue), stop: make(chan struct{})}
	switch {
	case c.Sample >= 1:
		l.least = math.MaxUint64
	case c.Sample > 0:
		l.least = uint64(c.Sample * (1 << 63) * 2)
	}
	side := 1
	if IsURL(c.Sink) {
		s, err := newCollector(c)
		if err != nil {
			return nil, fmt.Errorf("sink: %w", err)
		}
		l.sink, side = s, collectors
	} else {
		s, err := openFile(c.Sink, c.FileSize, c.Files)
		if err != nil {
			return nil, fmt.Errorf("sink: %w", err)
		}
		l.sink = s
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for range side {
		l.workers.Go(func() { l.work(ctx) })
	}
	return l, nil
}

// IsURL reports whether a sink is a collector.
func IsURL(sink string) bool {
	u, err := url.Parse(sink)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// Sampled reports whether a request is written: for the same id always the same. Which ids are, callers cannot know. The items of one call, whose ids end in .0, .1
// and so on, are written together.
func (l *Log) Sampled(id string) bool {
	if at := strings.LastIndexByte(id, '.'); at >= 0 && strings.Trim(id[at+1:], "0123456789") == "" {
		id = id[:at]
	}
	return l.least == math.MaxUint64 || maphash.String(l.seed, id) < l.least
}

// Add leaves a pair to be written. It never waits: what there is no room for is dropped and counted.
func (l *Log) Add(p Pair) {
	size := int64(len(p.Request) + len(p.Response) + pairOverhead)
	switch {
	case l.closed.Load():
		l.counts.dropped[atShutdown].Add(1)
		return
	case l.waiting.Add(size) > l.Bytes:
		l.waiting.Add(-size)
		l.counts.dropped[queueBytes].Add(1)
		return
	}
	select {
	case l.queue <- p:
	default:
		l.waiting.Add(-size)
		l.counts.dropped[queueFull].Add(1)
	}
}

// work writes pairs until there are no more, or ctx ends.
func (l *Log) work(ctx context.Context) {
	for {
		select {
		case p := <-l.queue:
			l.write(ctx, &p)
			continue
		case <-l.stop:
		}
		select {
		case p := <-l.queue:
			l.write(ctx, &p)
		default:
			return
		}
	}
}

func (l *Log) write(ctx context.Context, p *Pair) {
	defer l.waiting.Add(-int64(len(p.Request) + len(p.Response) + pairOverhead))
	if ctx.Err() != nil {
		l.counts.dropped[atShutdown].Add(1)
		return
	}
	events := l.events(p)
	if len(events) == 0 {
		return
	}
	err := l.sink.put(ctx, events)
	switch {
	case err == nil:
		l.counts.written.Add(1)
		return
	case ctx.Err() != nil:
		l.counts.dropped[atShutdown].Add(1)
		return
	}
	l.counts.dropped[sinkFailed].Add(1)
	l.mu.Lock()
	tell := time.Since(l.moans) > quietTime
	if tell {
		l.moans = time.Now()
	}
	l.mu.Unlock()
	if tell {
		l.log.Warn("the payload log cannot be written; requests are answered all the same, and what is dropped is counted", "cause", err.Error())
	}
}

// Close writes what waits, for a bounded time, and lets go of the sink.
func (l *Log) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	close(l.stop)
	ended := make(chan struct{})
	go func() { defer close(ended); l.workers.Wait() }()
	late := time.NewTimer(flush)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		l.cancel()
		select { // a collector is let go at once; a disk that hangs is not waited for
		case <-ended:
		case <-time.After(time.Second):
			return fmt.Errorf("payload_log: the sink did not take what was left within %v", flush)
		}
	}
	l.cancel()
	for {
		select {
		case <-l.queue:
			l.counts.dropped[atShutdown].Add(1)
		default:
			return l.sink.close()
		}
	}
}
