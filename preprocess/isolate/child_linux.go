package isolate

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// child is one process, seen from the parent.
type child struct {
	process *os.Process
	area    area
	errors  *os.File // what it wrote to standard error
	free    func()
	report  Report // what the parent knows of it: how it was started

	// use is held by whoever works with area: a request, or the one who waits for what a request has left behind.
	use    sync.Mutex
	number uint32 // the turn's, without its bits; by the holder of use
	served uint64 // requests; by the holder of use

	call  atomic.Uint32 // counts requests, so that what comes late from an earlier one is told apart
	why   atomic.Value  // string: why the parent has killed it
	ended string        // one of the reasons; written before gone
	gone  atomic.Bool

	late  sync.Mutex // a canceler may run when its request is over
	freed bool       // area is no more; under late
}

// ask is one piece of work: the request, the bytes that it is about, and what is to come back.
type ask struct {
	request
	plan, data []byte
	format     preprocess.Format
	total      int                     // bytes that the answer has
	unit       int                     // each part is a multiple of it
	take       func(part []byte) error // the part is its until it returns
}

// kill ends the child. The first reason counts.
func (c *child) kill(reason string) {
	c.why.CompareAndSwap(nil, reason)
	_ = c.process.Kill()
}

// hand gives the turn to the child, with more bits.
func (c *child) hand(bits uint32) {
	c.number += turnStep
	c.area.turn().Store(c.number | turnChild | bits)
	wake(c.area.turn())
}

// canceler tells the child, whoever waits for it, that this request's answer is not wanted any more.
func (c *child) canceler() func() {
	call := c.call.Add(1)
	return func() {
		c.late.Lock()
		defer c.late.Unlock()
		if !c.freed {
			c.cancel(func() bool { return c.call.Load() == call && !c.gone.Load() })
		}
	}
}

// cancel tells a child that has the turn that its answer is not wanted; false where it has not, or the answer is that of another request than meant. meant is asked
// between the two looks at the turn, so that it holds when the child is told. The caller holds use, or late while the area is there.
func (c *child) cancel(meant func() bool) bool {
	for turn := c.area.turn(); ; {
		v := turn.Load()
		if v&turnChild == 0 || !meant() {
			return false
		}
		if turn.CompareAndSwap(v, v|turnCanceled) {
			wake(turn)
			return true
		}
	}
}

// do carries out one request. over is false where the child still has the turn: its holder has to wait for it, or to kill it.
func (c *child) do(ctx context.Context, a *ask, most time.Duration) (resampling time.Duration, over bool, err error) {
	in := c.area.input()
	copy(in, a.plan)
	copy(in[planRoom:], a.data)
	a.planLength, a.dataLength = uint32(len(a.plan)), uint32(len(a.data))
	c.area.setRequest(a.request)
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, c.canceler())
		defer stop()
	}
	c.hand(0)
	w := newWatch(most)
	for got := 0; ; c.hand(0) {
		if err := c.await(ctx, &w); err != nil {
			return 0, false, err
		}
		said := c.area.answer()
		switch said.state {
		case stateFailed:
			if err := ctx.Err(); err != nil { // it may have been told so before this side has looked
				return 0, true, fault.Ended(err, "while the picture was decoded")
			}
			err := c.failure(said)
			return 0, err != errNonsense, err
		case stateMore, stateDone:
			n := int(said.length)
			if n > outputSize || n > a.total-got || n%a.unit != 0 || said.state == stateMore && n == 0 || said.state == stateDone && got+n != a.total {
				return 0, false, errNonsense
			}
			got += n
			if n > 0 {
				if err := a.take(c.area.output()[:n:n]); err != nil {
					return 0, said.state == stateDone, err
				}
			}
			if said.state == stateDone {
				return time.Duration(said.resampling) * time.Microsecond, true, nil
			}
		default:
			return 0, false, errNonsense
		}
	}
}

// failure is what the child says of the picture; errNonsense where it says nothing that can be passed on.
func (c *child) failure(said answer) error {
	text, ok := c.area.said(said.length)
	if !ok || said.code >= uint32(len(failures)) {
		return errNonsense
	}
	f := failures[said.code]
	if f.kind == fault.Canceled { // it cannot know
		return errNonsense
	}
	return fault.New(f.kind, f.code, "%s", printable(string(text)))
}

// await waits until the child has handed the turn back. Its errors: ctx's, errGone, errStuck, errStarved, errNonsense.
func (c *child) await(ctx context.Context, w *watch) error {
	turn := c.area.turn()
	for {
		v := turn.Load()
		switch {
		case c.gone.Load():
			return errGone
		case v == c.number:
			return nil
		case v&^turnCanceled != c.number|turnChild:
			return errNonsense
		case ctx.Err() != nil:
			return ctx.Err()
		}
		left := w.left(c.process.Pid)
		if left <= 0 {
			return w.verdict(c.process.Pid)
		}
		sleep(turn, v, left)
	}
}

// drain waits for the end of a request that nobody wants any more, and tells whether the child can be used again.
func (c *child) drain(most time.Duration) bool {
	w := newWatch(most)
	for {
		if c.await(context.Background(), &w) != nil {
			return false
		}
		switch c.area.answer().state {
		case stateFailed, stateDone:
			return true
		case stateMore:
			c.hand(turnCanceled)
		default:
			return false
		}
	}
}
