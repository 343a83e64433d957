// Package redis keeps jobs in a Redis that several gateways share. It exists so that many gateways and workers, on machines of their own, take from
// one queue and lose nothing: with appendonly yes and appendfsync always, what is acknowledged is on the disk of Redis before it is acknowledged.
//
// Give it a Redis of its own, apart from the cache's: with maxmemory-policy noeviction, since an evicted key is a lost job. Every step that must not be half
// done is one Lua script (lua/), whose work is bounded. All keys of a store begin with its prefix in a hash tag, as in {tg:jobs}:, so that they lie on one
// node of a cluster; for more than one node can hold, use several prefixes. Redis 6.2 or newer is needed; why sorted sets and no consumer groups: docs/decisions/0004-jobs-on-redis.md.
package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"triton-gateway/gateway/jobs"
)

// Options say where jobs are kept, and how many.
type Options struct {
	URL      string // redis://user:password@host:6379/1, rediss:// or unix://
	CAFile   string // PEM file with the certificates that TLS trusts; "": the system's
	Cluster  bool   // the URL names one node of a Redis Cluster
	Prefix   string // of all names; "": tg:jobs. Stores with one prefix share their jobs. It holds no brace
	MaxBytes int64  // of blobs together; 0: no limit
	MaxJobs  int    // final ones included; 0: no limit
	// Now is the time by which jobs are due and leases end; nil: that of Redis, one clock for all processes. RunAt and Deadline come from
	// the gateways' clocks, so a gateway that is ahead delays its jobs by as much.
	Now func() time.Time
	Log *slog.Logger // nil: slog.Default
}

// Store is a jobs.Store. It is safe for concurrent use.
type Store struct {
	options Options
	client  goredis.UniversalClient
	scripts *scripts
	prefix  string // of all names, with the hash tag and a colon

	patience time.Duration // see patienceFor
	away     absence

	stop      context.CancelFunc
	ended     context.Context // until Close
	listening sync.Once
	listener  sync.WaitGroup
	woken     chan struct{} // holds one: something became due since the last Wake
	closing   sync.Once
	closed    error
}

var (
	_ jobs.Store  = (*Store)(nil)
	_ jobs.Waker  = (*Store)(nil)
	_ jobs.Looker = (*Store)(nil)
	_ jobs.Keyed  = (*Store)(nil)
	_ jobs.Taker  = (*Store)(nil)
)

// Open makes a store. A Redis that cannot be reached is no error, but a warning in the log: calls are Unavailable until it is there. A Redis that may
// lose jobs, by eviction or by what it has not yet written to its disk, is a warning too. The error is that of faulty options, and shows no password.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "tg:jobs"
	}
	if strings.ContainsAny(o.Prefix, "{}") || len(o.Prefix) > 100 {
		return nil, fmt.Errorf("the prefix of jobs in Redis: %q holds a brace or is longer than 100 bytes", o.Prefix)
	}
	if o.MaxBytes < 0 || o.MaxJobs < 0 {
		return nil, fmt.Errorf("the most bytes (%d) and jobs (%d) in Redis must not be negative", o.MaxBytes, o.MaxJobs)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	client, err := connect(o)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the client's own log has a line for each failure; callers are told
	s := &Store{
		options: o, client: client, scripts: newScripts(), prefix: "{" + o.Prefix + "}:", patience: patienceFor, woken: make(chan struct{}, 1),
	}
	s.ended, s.stop = context.WithCancel(context.Background())
	s.check(ctx)
	return s, nil
}

// Close ends the use of the store; a second one does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.listening.Do(func() {}) // none begins any more
		s.stop()
		if err := s.client.Close(); err != nil { // also wakes the listener
			s.closed = fmt.Errorf("close the connections to the jobs' Redis: %w", err)
		}
		s.listener.Wait()
	})
	return s.closed
}

// now is what scripts take for the time: 0 lets them ask Redis.
func (s *Store) now() int64 {
	if s.options.Now == nil {
		return 0
	}
	return s.options.Now().UnixMicro()
}
