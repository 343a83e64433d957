package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"triton-gateway/internal/fault"
)

// Records are small facts that all gateways agree on, such as a model's load epoch: they decide keys, so that they must not be
// forgotten while a value lives that was stored under them. They never expire; a Redis with a memory limit should evict by
// volatile-lfu or volatile-lru, which leaves them alone. Without Redis they are this process's own.
type Records struct {
	remote *remote // nil: local is all there is

	mu    sync.Mutex
	local map[string][]byte
}

// largestRecord is the most bytes that a record may have.
const largestRecord = 64 * kib

// swapScript sets KEYS[1] to ARGV[2] if it is ARGV[1], where "" stands for no value, and says whether it did.
const swapScript = `if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end return 0`

// Records gives the records beside this cache's values.
func (t *Tiered) Records() *Records { return &t.records }

// Load gives the value of a key, or nil where there is none. An error is Unavailable: Redis did not answer within Config.RedisTimeout.
func (r *Records) Load(ctx context.Context, key string) ([]byte, error) {
	if r.remote == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return bytes.Clone(r.local[key]), nil
	}
	var value []byte
	err := r.remote.guard.run(ctx, func(ctx context.Context) error {
		raw, err := r.remote.client.GetRange(ctx, recordName(key), 0, largestRecord).Bytes()
		if len(raw) > 0 {
			value = raw
		}
		return failure(err)
	})
	if err != nil {
		return nil, r.unavailable(ctx, err)
	}
	return value, nil
}

// Swap sets a key to value if it has the value old, where none stands for no value, and reports whether it did. It is atomic among all
// gateways. The error is Invalid for a value that is empty or over 64 KiB, and Unavailable where Redis did not answer: then the record
// may or may not be set.
func (r *Records) Swap(ctx context.Context, key string, old, value []byte) (bool, error) {
	if len(value) == 0 || len(value) > largestRecord {
		return false, fault.New(fault.Invalid, "invalid_request", "a record of %d bytes; 1 to %d are allowed", len(value), largestRecord)
	}
	if r.remote == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !bytes.Equal(r.local[key], old) {
			return false, nil
		}
		if r.local == nil {
			r.local = map[string][]byte{}
		}
		r.local[key] = bytes.Clone(value)
		return true, nil
	}
	var swapped int
	err := r.remote.guard.run(ctx, func(ctx context.Context) (err error) {
		swapped, err = r.remote.client.Eval(ctx, swapScript, []string{recordName(key)}, old, value).Int()
		return err
	})
	if err != nil {
		return false, r.unavailable(ctx, err)
	}
	return swapped == 1, nil
}

func (r *Records) unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return fault.New(fault.Unavailable, "cache_unavailable", "Redis did not answer").After(probeEvery).Wrap(fmt.Errorf("records: %w", err))
}

// recordName shows nothing of the key, which may name a model or a tenant.
func recordName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return recordStart + hex.EncodeToString(sum[:])
}
