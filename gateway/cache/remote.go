package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

const inRedis = "redis"

// The names in Redis hold digests and nothing else. No command names two keys, so that they may lie on different nodes.
const (
	entryPrefix = "tg:1:"      // tg:1:<group>:<sum>; 1 is the version of the format
	purgePrefix = "tg:purge:"  // tg:purge:<group> or tg:purge:all: the token of the last purge
	purgeStream = "tg:purges"  // what was purged, for the other gateways
	recordStart = "tg:record:" // tg:record:<digest of the name>; see Records
	purgeAll    = "all"
)

// remote is the tier in Redis. Looking up is synchronous and bounded in time, writing is not waited for.
type remote struct {
	client  *redis.Client
	guard   *guard
	writer  *writer
	log     *slog.Logger
	started time.Time
	id      string // of this process in purgeStream
	limit   int
	sweeps  chan string
	forget  func(group *[8]byte) // drops what other tiers of this process hold

	stop    context.CancelFunc
	workers sync.WaitGroup

	hits, misses, corrupt atomic.Uint64
}

var _ store = (*remote)(nil)

// newRemote starts the tier without waiting for Redis.
func newRemote(config Config, log *slog.Logger, forget func(group *[8]byte)) (*remote, error) {
	o, err := options(config)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the client's own log has a line for each failure; guard reports the changes
	var id [8]byte
	_, _ = rand.Read(id[:])
	r := &remote{
		client: redis.NewClient(o), guard: newGuard("Redis", config.RedisTimeout, log), log: log, started: time.Now(),
		id: hex.EncodeToString(id[:]), limit: config.RedisValue, sweeps: make(chan string, sweepQueue), forget: forget,
	}
	r.writer = newWriter(r.client, log)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.workers.Go(func() { r.guard.watch(ctx, r.probe) })
	r.workers.Go(func() { r.listen(ctx) })
	r.workers.Go(func() { r.sweep(ctx) })
	return r, nil
}

// probe asks for what each look-up asks for.
func (r *remote) probe(ctx context.Context) error {
	return failure(r.client.Get(ctx, purgePrefix+purgeAll).Err())
}

func (r *remote) get(ctx context.Context, key Key) (item, bool) {
	var value, group, all *redis.StringCmd
	err := r.guard.run(ctx, func(ctx context.Context) error {
		pipe := r.client.Pipeline()
		value = pipe.GetRange(ctx, entryName(key), 0, int64(r.limit+envelopeHead)) // bounds what a foreign value costs
		group = pipe.Get(ctx, purgePrefix+hex.EncodeToString(key.Group[:]))
		all = pipe.Get(ctx, purgePrefix+purgeAll)
		_, _ = pipe.Exec(ctx)
		err := value.Err()
		if wrongType(err) {
			err = nil
		}
		return errors.Join(failure(err), failure(group.Err()), failure(all.Err()))
	})
	if err != nil {
		return item{}, false
	}
	now := stamp{group: tokenOf(group), all: tokenOf(all), remote: true}
	raw, _ := value.Bytes()
	if len(raw) == 0 && value.Err() == nil { // GETRANGE of a key that is not there
		r.misses.Add(1)
		return item{stamp: now}, false
	}
	it, ok := unseal(raw, key)
	if !ok {
		r.corrupt.Add(1)
	}
	if !ok || it.stamp.group != now.group || it.stamp.all != now.all || time.Until(it.expires) <= 0 {
		r.misses.Add(1)
		return item{stamp: now}, false
	}
	it.stamp = now
	r.hits.Add(1)
	return it, true
}

func (r *remote) set(_ context.Context, key Key, it item) bool {
	if !it.stamp.remote || len(it.data) > r.limit || time.Until(it.expires) <= 0 {
		r.writer.dropped.Add(1)
		return false
	}
	return r.writer.add(write{key, it})
}

// close sends what waits to be written, for drainFor at most.
func (r *remote) close() error {
	r.writer.close()
	r.stop()
	err := r.client.Close() // also wakes the listener
	r.workers.Wait()
	if err != nil {
		return fmt.Errorf("close the connections to Redis: %w", err)
	}
	return nil
}

func entryName(key Key) string {
	var name [len(entryPrefix) + 16 + 1 + 64]byte
	b := append(name[:0], entryPrefix...)
	b = hex.AppendEncode(b, key.Group[:])
	b = append(b, ':')
	return string(hex.AppendEncode(b, key.Sum[:]))
}

// tokenOf gives a purge token; zero where there was no purge. Anything foreign under its name is a token like another.
func tokenOf(cmd *redis.StringCmd) [8]byte {
	text := cmd.Val()
	switch len(text) {
	case 0:
		return [8]byte{}
	case 8:
		return [8]byte([]byte(text))
	}
	sum := sha256.Sum256([]byte(text))
	return [8]byte(sum[:8])
}

// wrongType: somebody keeps a list or the like under the name. It is overwritten by the next value.
func wrongType(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE")
}
