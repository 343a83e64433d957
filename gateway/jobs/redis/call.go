package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/internal/fault"
)

const (
	// patienceFor is how long the engine's own calls go on being tried while Redis is away, as during a restart; the last try may take replyFor more.
	patienceFor = 4 * time.Second
	// promptFor is the same for calls that somebody waits for: who cannot reach Redis is refused within a second. One that was reached has replyFor for its answer all the
	// same, since its disk may be slow, and who is refused too early hands the same in twice.
	promptFor = 700 * time.Millisecond
	// pace is how many bytes a second a call may take to send, besides.
	pace = 8 << 20
)

// manner is how long a call is tried, and how often it may be made.
type manner uint8

const (
	asked  manner = iota // somebody waits for the answer, and twice is once
	worked               // the engine's own, and twice is once
	once                 // the engine's own; twice would be twice
)

// call runs a script, whose first argument, the time, is put in here. Its answer is a list that begins with a word. A call that Redis has not done is tried again; one
// whose answer was lost only where doing it twice is doing it once.
func (s *Store) call(ctx context.Context, script *goredis.Script, m manner, args ...any) (word string, rest []any, err error) {
	all := append([]any{s.now()}, args...)
	bytes := 0
	for _, a := range args {
		if b, ok := a.([]byte); ok {
			bytes += len(b)
		}
	}
	err = s.again(ctx, m, bytes, func(ctx context.Context) error {
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

// again tries until it is done, cannot be done or patience is over. Where Redis is known to be away, who waits for the answer gets it at once, once Redis has been
// asked whether that is still so.
func (s *Store) again(ctx context.Context, m manner, bytes int, try func(ctx context.Context) error) error {
	whole, patience, begin := ctx, s.patience, time.Now()
	if m == asked {
		patience = min(patience, promptFor)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, replyFor+time.Duration(bytes)*time.Second/pace)
		defer cancel()
		if err := s.away.check(ctx, s.client); err != nil {
			return failure(whole, err)
		}
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		if whole.Err() != nil {
			return failure(whole, whole.Err())
		}
		err := try(ctx)
		if err == nil {
			s.away.over()
			return nil
		}
		if ctx.Err() != nil || !later(err, m != once) || time.Since(begin) > patience {
			return s.away.note(failure(whole, err))
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.ended.Done():
		}
		timer.Stop()
		if s.ended.Err() != nil {
			return failure(whole, err)
		}
		if ctx.Err() != nil {
			return s.away.note(failure(whole, err))
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
	if errors.Is(err, errUndialled) {
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
