package triton

import (
	"context"
	"errors"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

const (
	// Of each model shortestLine calls may wait, or waitFactor for each that may run where that is more: enough to keep the servers busy over an uneven moment, and
	// not so many that the last of them waits long for nothing.
	shortestLine = 32
	waitFactor   = 1
	// pressedLine may wait even while the load is too high: a few callers who each wait for their answer are never turned away for a server's slow moment.
	pressedLine  = 4
	longestAfter = 5 * time.Minute // RetryAfter at most
)

// line is who waits: by priority, and those of one class in order of arrival.
type line struct{ priority.Line[waiter] }

// waiter is one caller in line. done is closed when turn or err is set.
type waiter struct {
	ctx  context.Context
	done chan struct{}
	turn turn
	err  error
}

// place finds a place for a call, and waits for one where all endpoints are at their limits.
//
// Errors: Unavailable where no endpoint serves, Busy with RetryAfter where the line is full, or became full of more urgent calls, Timeout where the time that is left cannot suffice, Timeout or
// Canceled where ctx ends.
func (c *Client) place(ctx context.Context, p *pool) (turn, error) {
	if err := ctx.Err(); err != nil {
		return turn{}, left(ctx)
	}
	if p.waiting.Load() == 0 { // else it is the turn of those who wait
		t, v := p.grab(c, c.nanos())
		switch v {
		case found:
			return t, nil
		case open, none:
			return turn{}, p.refused(c, v)
		}
	}
	return c.wait(ctx, p)
}

// wait joins the line.
func (c *Client) wait(ctx context.Context, p *pool) (turn, error) {
	class := priority.From(ctx)
	p.mu.Lock()
	p.waiting.Add(1) // first: whoever ends a call after this looks into the line
	if p.line.Len() == 0 {
		t, v := p.grabLocked(c)
		if v != full {
			p.waiting.Add(-1)
			p.mu.Unlock()
			if v == found {
				return t, nil
			}
			return turn{}, p.refused(c, v)
		}
	}
	out, err := p.crowded(ctx, c, class)
	if err != nil {
		p.line.Refused(class)
		p.waiting.Add(-1)
		p.mu.Unlock()
		return turn{}, err
	}
	if out != nil { // the last one of a less urgent class goes
		p.line.Yield(out)
		p.waiting.Add(-1)
		out.Value.err = p.busy(out.Class())
		close(out.Value.done)
	}
	at := p.line.Join(class, time.Now(), waiter{ctx: ctx, done: make(chan struct{})})
	risen := p.line.Follow(ctx, at)
	p.mu.Unlock()

	w := &at.Value
	for waits := true; waits; {
		select {
		case <-w.done:
			waits = false
		case <-risen:
			p.mu.Lock()
			risen = p.line.Follow(ctx, at)
			p.mu.Unlock()
		case <-ctx.Done():
			p.mu.Lock()
			if p.line.Leave(at) {
				p.waiting.Add(-1)
				p.mu.Unlock()
				return turn{}, left(ctx)
			}
			p.mu.Unlock()
			<-w.done // its turn came at the same moment
			waits = false
		}
	}
	if w.err != nil {
		return turn{}, w.err
	}
	if ctx.Err() != nil {
		p.giveBack(c, &w.turn)
		return turn{}, left(ctx)
	}
	return w.turn, nil
}

// grabLocked is grab for who holds mu.
func (p *pool) grabLocked(c *Client) (turn, pick) {
	return p.remake(c).grab(c.nanos(), nil)
}

// dispatch gives free places to those who wait, and an error to all of them where nobody serves any more.
func (p *pool) dispatch(c *Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.line.Len() > 0 {
		now := time.Now()
		front := p.line.Next(now)
		w := &front.Value
		if w.ctx.Err() == nil { // else it leaves by itself
			t, v := p.grabLocked(c)
			switch v {
			case found:
				w.turn = t
			case full:
				return
			default:
				w.err = p.refused(c, v)
			}
		} else {
			w.err = left(w.ctx)
		}
		if w.err == nil {
			p.line.Take(front, now)
		} else {
			p.line.Leave(front)
		}
		p.waiting.Add(-1)
		close(w.done)
	}
}

// room is how many may wait, for so many places. While the load stays above what the servers can do, it is what half the time of a call can take, so that
// those who are let in are answered about as soon as in ordinary times.
func (p *pool) room(c *Client, places int) int {
	switch {
	case c.config.Queue > 0:
		return c.config.Queue
	case p.press.on.Load():
		return max(places/2, pressedLine)
	}
	return max(shortestLine, waitFactor*places)
}

// crowded is the error of a call that would have to wait, by its class; nil where it may wait. Where it may because a less urgent one makes room, out is that one.
// It needs mu.
func (p *pool) crowded(ctx context.Context, c *Client, class priority.Class) (out *priority.Place[waiter], err error) {
	places, excess, each, one := p.speed()
	tooMany := p.line.Len()+excess >= p.room(c, places)
	p.press.count(c.nanos(), one, tooMany)
	if tooMany {
		if out = p.line.Yielding(class); out == nil {
			return nil, p.busy(class)
		}
	}
	ahead := p.line.Before(class) + excess
	wait := time.Duration(float64(ahead+1) * float64(each))
	if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) < wait+one {
		return nil, fault.New(fault.Timeout, "deadline_exceeded",
			"the answer is expected in %v, and the deadline is nearer; allow more time or come again later", (wait + one).Round(time.Millisecond))
	}
	return out, nil
}

// busy is the error of a call of the class for which there is no place in line. It needs mu.
func (p *pool) busy(class priority.Class) error {
	places, excess, each, _ := p.speed()
	after := min(max(time.Duration(float64(p.line.Before(class)+excess+places)*float64(each)), time.Millisecond), longestAfter)
	if each == 0 {
		after = comeBack
	}
	return fault.New(fault.Busy, "queue_full", "%d calls of model %q run or wait already, which is as many as its servers can do soon; come again later",
		p.line.Len()+excess+places, p.model).After(after)
}

// speed is how many calls may run together, the time from one end to the next while they do, and the time of one call. Both times are 0 where none
// has ended yet. excess is how many calls run that would wait now: they were begun before the bound was lowered, and stand in the server's line instead of this one.
func (p *pool) speed() (places, excess int, each, one time.Duration) {
	rate, count := 0.0, 0
	for _, l := range p.lanes.Load().lanes {
		if l.e.ejected.Load() || l.ready.Load() == notReady {
			continue
		}
		limit := l.limit.Limit()
		places += limit
		excess += max(0, l.limit.Running()-limit)
		if took := l.limit.Latency(); took > 0 {
			rate += float64(limit) / float64(took)
			one += took
			count++
		}
	}
	if count == 0 {
		return places, excess, 0, 0
	}
	return places, excess, time.Duration(1 / rate), one / time.Duration(count)
}

// refused is the error where nobody serves.
func (p *pool) refused(c *Client, v pick) error {
	if v != open {
		return nowhere()
	}
	rest := longestBreak
	now := c.nanos()
	for _, l := range p.lanes.Load().lanes {
		if r := l.breaker.rest(now); r > 0 && !l.e.ejected.Load() {
			rest = min(rest, r)
		}
	}
	return fault.New(fault.Unavailable, "backend_unavailable", "model %q keeps failing and is left alone for a moment; try again later, the log has what it said", p.model).After(rest)
}

// Full tells beforehand what would become of a call; see backend.Gate.
func (c *Client) Full(ctx context.Context, model, version string) error {
	if ctx.Err() != nil {
		return left(ctx)
	}
	p := c.pools.known(model, version)
	if p == nil { // never called
		for _, e := range c.list() {
			if !e.ejected.Load() {
				return nil
			}
		}
		return nowhere()
	}
	waiting := int(p.waiting.Load())
	_, v := p.set(c).choose(c.nanos(), nil)
	switch {
	case v == open || v == none:
		return p.refused(c, v)
	case v == found && waiting == 0:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	class := priority.From(ctx)
	_, err := p.crowded(ctx, c, class)
	if err != nil {
		p.line.Refused(class)
	}
	return err
}

// left is the error of a caller whose time is over or who went away.
func left(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "deadline_exceeded", "the time was over before the model could be called; allow more time or come again later").Wrap(ctx.Err())
	}
	return fault.New(fault.Canceled, "client_closed", "the caller went away").Wrap(ctx.Err())
}
