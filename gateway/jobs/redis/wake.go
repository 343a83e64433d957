package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/internal/pause"
)

// Wake waits until a job has become due since the last Wake of this store, at most for the timeout, and tells whether that is so. It lets an idle worker sleep instead of
// asking again and again. It is a hint: jobs that were delayed, leases that end and a lost connection to Redis wake nobody for certain, so Lease has
// to be called after every timeout too. Of several callers at once one is woken.
//
// The hints are a Redis Stream, which the first Wake begins to read with a connection of its own.
func (s *Store) Wake(ctx context.Context, timeout time.Duration) bool {
	s.listening.Do(func() { s.listener.Go(func() { s.listen(s.ended) }) })
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-s.woken:
		return true
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ended.Done():
	}
	return false
}

const (
	listenFor   = 20 * time.Second // how long one read of the stream waits
	listenAgain = 500 * time.Millisecond
)

// listen reads the stream until ctx ends.
func (s *Store) listen(ctx context.Context) {
	for last := ""; ctx.Err() == nil; {
		var err error
		if last == "" { // at first, and after a failure: something may have been missed
			last, err = s.newest(ctx)
		} else if last, err = s.newer(ctx, last); errors.Is(err, goredis.Nil) {
			continue
		}
		if err != nil {
			last = ""
			pause.For(ctx, listenAgain)
			continue
		}
		select {
		case s.woken <- struct{}{}:
		default:
		}
	}
}

// newest gives the id of the last hint; one before all where there is none.
func (s *Store) newest(ctx context.Context) (string, error) {
	list, err := s.client.XRevRangeN(ctx, s.prefix+"wake", "+", "-", 1).Result()
	if err != nil || len(list) == 0 {
		return "0-0", err
	}
	return list[0].ID, nil
}

// newer waits for hints behind last and gives the id of the last one; last and goredis.Nil where none has come in listenFor.
func (s *Store) newer(ctx context.Context, last string) (string, error) {
	got, err := s.client.XRead(ctx, &goredis.XReadArgs{Streams: []string{s.prefix + "wake", last}, Count: 64, Block: listenFor}).Result()
	if err != nil {
		return last, err
	}
	if len(got) != 1 || len(got[0].Messages) == 0 {
		return last, errReply
	}
	return got[0].Messages[len(got[0].Messages)-1].ID, nil
}
