package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/internal/fault"
)

// patienceFor is how long a call goes on being tried while Redis is away, as during a restart; the last try may take replyFor more.
const patienceFor = 4 * time.Second

// call runs a script, whose first argument, the time, is put in here. Its answer is a list that begins with a word. A call that Redis has not done is tried again; one
// whose answer was lost only where doing it twice is doing it once.
func (s *Store) call(ctx context.Context, script *goredis.Script, twice bool, args ...any) (word string, rest []any, err error) {
	all := append([]any{s.now()}, args...)
	err = s.again(ctx, twice, func() error {
		list, err := script.Run(ctx, s.client, []string{s.prefix}, all...).Slice()
		if err != nil {
			return err
		}
		var ok bool
		if len(list) > 0 {
			word, ok = list[0].(string)
		}
		if !ok {
			return errReply
		}
		rest = list[1:]
		return nil
	})
	return word, rest, err
}

// again tries until it is done, cannot be done or patience is over.
func (s *Store) again(ctx context.Context, twice bool, try func() error) error {
	begin := time.Now()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		if ctx.Err() != nil {
			return failure(ctx, ctx.Err())
		}
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !later(err, twice) || time.Since(begin) > s.patience {
			return failure(ctx, err)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.ended.Done():
		}
		timer.Stop()
		if s.ended.Err() != nil {
			return failure(ctx, err)
		}
	}
}

// later reports whether a failed try may be made again.
func later(err error, twice bool) bool {
	var known *fault.Error
	if errors.As(err, &known) {
		return false
	}
	var said goredis.Error
	if errors.As(err, &said) {
		return begins(said.Error(), refusals)
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true // nothing was sent
	}
	return twice && !errors.Is(err, goredis.ErrClosed) && !errors.Is(err, errReply)
}

// failure makes the error that callers get.
func failure(ctx context.Context, err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if end := ctx.Err(); end != nil {
		return fault.Ended(end, "while the job store was asked")
	}
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) { // the connection's own timer was first
		return fault.Ended(context.DeadlineExceeded, "while the job store was asked")
	}
	var said goredis.Error
	switch {
	case errors.Is(err, errReply):
		return damaged(err)
	case !errors.As(err, &said):
		return unavailable("the jobs' Redis cannot be reached; see that it runs, and come again", err)
	case begins(said.Error(), []string{"OOM"}):
		return full("the jobs' Redis is at its maxmemory; wait for jobs to be swept, or raise maxmemory").Wrap(err)
	case begins(said.Error(), locked):
		return unavailable("the jobs' Redis refuses this gateway; look at its users and rights, and at the queue's URL", err)
	case begins(said.Error(), refusals):
		return unavailable("the jobs' Redis cannot work now; its log has the cause; come again", err)
	}
	return damaged(err)
}

// errReply is an answer that no script of this package gives.
var errReply = errors.New("an answer of Redis that cannot be read")

func unavailable(text string, err error) *fault.Error {
	return fault.New(fault.Unavailable, "job_store_unavailable", "%s", text).Wrap(err).After(time.Second)
}

func full(text string) *fault.Error {
	return fault.New(fault.TooLarge, "job_store_full", "%s", text)
}

// damaged is the failure of what somebody else has written under the store's names.
func damaged(err error) *fault.Error {
	return fault.New(fault.Internal, "internal", "a job in the store cannot be read; the log has the cause").Wrap(err)
}

func notFound() *fault.Error {
	return fault.New(fault.NotFound, "job_not_found", "there is no such job; it may have been deleted after its result_ttl")
}
