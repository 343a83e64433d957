package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	spare = time.Hour // how long a blob that no job names is kept
	small = 16 << 10  // bytes of a blob that are sent without asking first whether it is there
)

// Put implements jobs.Blobs. The caller has computed the digest from the bytes.
func (s *Store) Put(ctx context.Context, digest string, data []byte) error {
	if !isDigest(digest) {
		return badDigest()
	}
	word, args := "none", []any{digest, s.options.MaxBytes, len(data)}
	var err error
	if len(data) > small {
		word, _, err = s.call(ctx, s.scripts.put, asked, args...)
	}
	if err == nil && word == "none" {
		word, _, err = s.call(ctx, s.scripts.put, asked, append(args, data)...)
	}
	switch {
	case err != nil:
		return err
	case word == "full":
		return s.large()
	case word != "ok":
		return damaged(errReply)
	}
	return nil
}

// Blob implements jobs.Blobs.
func (s *Store) Blob(ctx context.Context, digest string) (data []byte, err error) {
	missing := fault.New(fault.NotFound, "blob_not_found", "the job store has no blob of this digest")
	if !isDigest(digest) {
		return nil, missing
	}
	err = s.again(ctx, worked, 0, func(ctx context.Context) error {
		var err error
		if data, err = s.client.Get(ctx, s.prefix+"blob:"+digest).Bytes(); errors.Is(err, goredis.Nil) {
			return missing
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

func badDigest() *fault.Error {
	return invalid("a blob is named by its SHA-256 in 64 small hex digits")
}

// large is the failure of a blob that does not fit.
func (s *Store) large() *fault.Error {
	return full(fmt.Sprintf("the blobs of jobs may have %d bytes together; wait for old jobs to be swept, or raise jobs.max_bytes", s.options.MaxBytes))
}

// isDigest: 64 small hex digits.
func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// Sweep implements jobs.Blobs. It also ends leases and jobs whose time is over. At most 100 jobs, 100 blobs and 1000 mentions of blobs go at a time.
func (s *Store) Sweep(ctx context.Context) (more bool, err error) {
	word, rest, err := s.call(ctx, s.scripts.sweep, worked, spare.Microseconds())
	if err != nil {
		return false, err
	}
	if word != "ok" || len(rest) != 1 {
		return false, damaged(errReply)
	}
	return rest[0] == int64(1), nil
}

// Count implements jobs.Blobs.
func (s *Store) Count(ctx context.Context) (*jobs.Counts, error) {
	var args []any
	for _, state := range states {
		args = append(args, string(state))
	}
	word, rest, err := s.call(ctx, s.scripts.count, asked, args...)
	if err != nil {
		return nil, err
	}
	if word != "ok" || len(rest) != 3 {
		return nil, damaged(errReply)
	}
	c := &jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{}, Oldest: map[jobs.Priority]time.Time{}}
	for _, p := range classes {
		c.Jobs[p] = map[jobs.State]int{}
	}
	c.Bytes, _ = rest[2].(int64)
	figures, _ := rest[0].([]any)
	for _, v := range figures {
		if f, _ := v.([]any); len(f) == 3 {
			class, _ := f[0].(string)
			state, _ := f[1].(string)
			if n, _ := f[2].(int64); n > 0 && known(classes, jobs.Priority(class)) {
				c.Jobs[jobs.Priority(class)][jobs.State(state)] = int(n)
			}
		}
	}
	oldest, _ := rest[1].([]any)
	for _, v := range oldest {
		class, at := pair(v)
		if micro, ok := at.(int64); ok && known(classes, jobs.Priority(class)) {
			c.Oldest[jobs.Priority(class)] = jobs.Moment(micro)
		}
	}
	return c, nil
}
