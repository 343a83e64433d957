package triton

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/fault"
)

const (
	// retryEvery calls allow one second try; below retriesASecond*retryEvery calls a second there may be retriesASecond.
	retryEvery     = 10
	retriesASecond = 3
	// hedgeEvery calls allow one hedge: two of a hundred.
	hedgeEvery = 50
	// budgetSeconds is how long calls count for it.
	budgetSeconds = 10
)

// elsewhere says where a call that failed may be made again.
type elsewhere uint8

const (
	never    elsewhere = iota
	onOther            // on another endpoint
	anywhere           // on another endpoint, or on the same one over a fresh connection
)

// effect is what the end of a call says about the server.
type effect uint8

const (
	fine     effect = iota // answered
	answered               // refused for a reason that is neither the server's nor the model's
	unsent                 // nothing: the caller was gone before it was sent, or left
	broken                 // the way to the server failed, or nobody is there
	sick                   // the server said that it cannot serve
	unready                // the server said that it does not have the model ready
	crowded                // the server said that it has too many calls
	failed                 // the model failed
	late                   // no answer in the caller's time
)

// errRescued ends a call on an endpoint that does not answer any more, so that it can be made elsewhere.
var errRescued = errors.New("the endpoint was taken out of service")

// judged reads the status of a failed call. answer says that the status came from the server.
func judged(ctx context.Context, err error, answer bool) (effect, elsewhere) {
	s, _ := status.FromError(err)
	if ctx.Err() != nil && (s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded || s.Code() == codes.Unavailable && !answer) {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return late, never
		}
		return unsent, never
	}
	r := find(s)
	switch s.Code() {
	case codes.Unavailable:
		switch {
		case !answer:
			return broken, anywhere
		case r.kind == fault.Busy:
			return crowded, onOther
		case r.kind == fault.Timeout:
			return answered, never
		case r.retry:
			return sick, anywhere
		}
		return unready, onOther
	case codes.ResourceExhausted:
		if r.kind == fault.Busy {
			return crowded, onOther
		}
		return answered, never
	case codes.DeadlineExceeded:
		return late, never
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.Aborted:
		if r.kind == fault.Upstream {
			return failed, never
		}
	}
	return answered, never
}

// secondTurn finds the place for a second try, if the budget has one left.
func (c *Client) secondTurn(ctx context.Context, p *pool, first *turn, where elsewhere) (turn, bool) {
	e, now := first.lane.e, c.nanos()
	if c.several {
		t, v := p.grab(c, now, e)
		if v == full && first.rescued { // the others have all that they can do: it waits like a new call, and not for the one that is out of service
			if again, err := c.place(ctx, p); err == nil {
				t, v = again, found
			}
		}
		if v == found {
			if first.rescued || c.retries.allow(now) {
				t.lane.e.retries.Add(1)
				return t, true
			}
			p.giveBack(c, &t)
			return turn{}, false
		}
	}
	if where != anywhere || e.ejected.Load() || !c.retries.allow(now) {
		return turn{}, false
	}
	if _, err := e.link.get(ctx, c.reconnect); err != nil || ctx.Err() != nil {
		return turn{}, false
	}
	t, v := p.grab(c, c.nanos())
	if v != found {
		return turn{}, false
	}
	t.lane.e.retries.Add(1)
	return t, true
}

// budget allows one extra call for every so many calls, over the last seconds. Its methods take no lock.
type budget struct {
	every int64 // calls for one extra
	least int64 // extras allowed in a second in any case, while there are few calls
	ring  [budgetSeconds]second
}

// second is what was done in one second; second says which.
type second struct{ second, calls, extras atomic.Int64 }

func (b *budget) at(now time.Duration) *second {
	n := int64(now / time.Second)
	s := &b.ring[n%budgetSeconds]
	if had := s.second.Load(); had != n && s.second.CompareAndSwap(had, n) {
		s.calls.Store(0) // a call that is counted by another at this moment may be lost, which makes the budget no larger
		s.extras.Store(0)
	}
	return s
}

// called counts a call.
func (b *budget) called(now time.Duration) { b.at(now).calls.Add(1) }

// allow takes one extra call out of the budget, if there is one.
func (b *budget) allow(now time.Duration) bool {
	present := b.at(now)
	oldest := int64(now/time.Second) - budgetSeconds
	var calls, extras int64
	for i := range b.ring {
		if s := &b.ring[i]; s.second.Load() > oldest {
			calls += s.calls.Load()
			extras += s.extras.Load()
		}
	}
	few := calls < b.least*b.every*budgetSeconds && present.extras.Load() < b.least
	if (extras+1)*b.every > calls && !few {
		return false
	}
	present.extras.Add(1)
	return true
}
