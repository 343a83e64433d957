package cache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/fault"
)

const (
	tokenLife    = maxLife + 24*time.Hour // a purge token outlives every value that it refuses
	streamLength = 1000                   // purges that a gateway may miss before it drops everything
	sweepQueue   = 64
	sweepSize    = 1000
	sweepTimeout = 2 * time.Second
)

// purge gives the group a new token: from that moment on all its values in Redis carry an old one and are misses, on every gateway, and so
// is what is written later but was looked up before. Then the other gateways are told, and the space is freed in the background.
func (r *remote) purge(ctx context.Context, group *[8]byte) error {
	name := purgeAll
	if group != nil {
		name = hex.EncodeToString(group[:])
	}
	var token [8]byte
	_, _ = rand.Read(token[:])
	err := r.guard.run(ctx, func(ctx context.Context) error {
		if err := r.client.Set(ctx, purgePrefix+name, token[:], tokenLife).Err(); err != nil {
			return err
		}
		return r.announce(ctx, name)
	})
	if err != nil {
		return fault.New(fault.Unavailable, "cache_unavailable",
			"the shared cache was not purged, only this gateway's memory was: Redis did not answer; repeat the purge").After(probeEvery).Wrap(err)
	}
	select {
	case r.sweeps <- name:
	default: // the values expire by themselves
	}
	return nil
}

func (r *remote) announce(ctx context.Context, name string) error {
	return r.client.XAdd(ctx, &redis.XAddArgs{
		Stream: purgeStream, MaxLen: streamLength, Approx: true, Values: []string{"from", r.id, "group", name},
	}).Err()
}

// sweep frees the space of purged values, a batch at a time.
func (r *remote) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-r.sweeps:
			if err := r.sweepOne(ctx, name); err != nil && ctx.Err() == nil {
				r.log.Warn("purged values stay in Redis until they expire; none is served", "error", err)
			}
		}
	}
}

// sweepScript removes KEYS[1] unless its bytes from ARGV[2] to ARGV[3] are the token ARGV[1]: in one step, so that a value stored since
// the purge stays.
const sweepScript = `if redis.pcall('GETRANGE', KEYS[1], ARGV[2], ARGV[3]) ~= ARGV[1] then return redis.call('UNLINK', KEYS[1]) end return 0`

func (r *remote) sweepOne(ctx context.Context, name string) error {
	pattern, offset := entryPrefix+name+":*", envelopeGroup
	if name == purgeAll {
		pattern, offset = entryPrefix+"*", envelopeAll
	}
	for cursor := uint64(0); ; {
		next, err := r.sweepBatch(ctx, cursor, pattern, purgePrefix+name, offset)
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

func (r *remote) sweepBatch(ctx context.Context, cursor uint64, pattern, purge string, offset int) (next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	latest := r.client.Get(ctx, purge)
	if err := failure(latest.Err()); err != nil {
		return 0, err
	}
	token := tokenOf(latest)
	names, next, err := r.client.Scan(ctx, cursor, pattern, sweepSize).Result()
	if err != nil || len(names) == 0 {
		return next, err
	}
	pipe := r.client.Pipeline()
	for _, one := range names {
		pipe.Eval(ctx, sweepScript, []string{one}, token[:], offset, offset+len(token)-1)
	}
	_, err = pipe.Exec(ctx)
	return next, err
}

// groupOfName reverses the name of a purge. known is false for anything else.
func groupOfName(name string) (group *[8]byte, known bool) {
	if name == purgeAll {
		return nil, true
	}
	raw, err := hex.DecodeString(name)
	if err != nil || len(raw) != 8 {
		return nil, false
	}
	return (*[8]byte)(raw), true
}
