package cache

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"triton-gateway/internal/pause"
)

var errNoStream = errors.New("the list of purges is gone")

const (
	listenBlock = 2 * time.Second // one wait at the server
	listenSlack = time.Second     // beyond it, the connection is taken for dead
	listenRetry = 250 * time.Millisecond
	listenBatch = 100
)

// listen reads the purges of the other gateways from a stream and drops what this process holds of them. A stream and not
// publish/subscribe: what was purged while the connection was lost is read when it is back. Where the stream itself was lost or cut
// beyond the last purge that was read, everything is dropped.
func (r *remote) listen(ctx context.Context) {
	var last string // the last entry that was read; "": none is known
	for told := false; ctx.Err() == nil; {
		err := r.hear(ctx, &last)
		if ctx.Err() != nil {
			return
		}
		if refused(err) && !told {
			told = true
			r.log.Warn("purges made by other gateways are not seen until the values expire: Redis refuses XREAD, XRANGE or XADD on "+purgeStream, "error", err)
		}
		pause.For(ctx, listenRetry)
	}
}

// hear finds the place in the stream and reads on until an error.
func (r *remote) hear(ctx context.Context, last *string) error {
	if err := r.resume(ctx, last); err != nil {
		return err
	}
	for {
		limited, cancel := context.WithTimeout(ctx, listenBlock+listenSlack)
		streams, err := r.client.XRead(limited, &redis.XReadArgs{Streams: []string{purgeStream, *last}, Count: listenBatch, Block: listenBlock}).Result()
		cancel()
		if failure(err) != nil {
			return err
		}
		for _, stream := range streams {
			for _, message := range stream.Messages {
				r.apply(message)
				*last = message.ID
			}
		}
	}
}

// resume makes sure that last is in the stream, so that nothing lies between it and what is read next. Where it is not, it starts from the
// end and drops everything, since what was missed is unknown.
func (r *remote) resume(ctx context.Context, last *string) error {
	ctx, cancel := context.WithTimeout(ctx, listenSlack)
	defer cancel()
	if *last != "" {
		found, err := r.client.XRangeN(ctx, purgeStream, *last, *last, 1).Result()
		if err != nil || len(found) == 1 {
			return err
		}
	}
	end, err := r.end(ctx)
	if err != nil {
		return err
	}
	missed := *last != ""
	if !missed { // the first time: only what was purged since this process began matters
		now, err := r.client.Time(ctx).Result()
		if err != nil {
			return err
		}
		since := now.Add(-time.Since(r.started) - listenSlack)
		for _, message := range end {
			missed = missed || message.Values["group"] != "" && !timeOf(message.ID).Before(since)
		}
	}
	if missed {
		r.forget(nil)
	}
	*last = end[0].ID
	return nil
}

// end gives the last two entries of the stream, latest first, and writes an empty one where there are none: a place to start from.
func (r *remote) end(ctx context.Context) ([]redis.XMessage, error) {
	for range 2 {
		end, err := r.client.XRevRangeN(ctx, purgeStream, "+", "-", 2).Result()
		if err != nil || len(end) > 0 {
			return end, err
		}
		if err := r.announce(ctx, ""); err != nil {
			return nil, err
		}
	}
	return nil, errNoStream
}

// timeOf gives the server's time in the id of an entry, <milliseconds>-<number>.
func timeOf(id string) time.Time {
	milliseconds, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(milliseconds, 10, 64)
	return time.UnixMilli(n)
}

// apply drops what another gateway purged.
func (r *remote) apply(message redis.XMessage) {
	if message.Values["from"] == r.id {
		return // already done, and what came since is new
	}
	name, _ := message.Values["group"].(string)
	if group, known := groupOfName(name); known {
		r.forget(group)
	}
}

// refused reports that the server knows the caller and will not do it: no permission, or too old for streams.
func refused(err error) bool {
	return err != nil && (redis.IsPermissionError(err) || strings.HasPrefix(err.Error(), "ERR unknown command"))
}
