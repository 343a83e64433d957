package batch

import (
	"context"
	"errors"
	"math/bits"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/priority"
)

const (
	crowded     = 4    // times Parallel batches may be under way where calls have waited their time
	learning    = 8    // batches over which the time of one is smoothed
	mostWaiting = 1024 // calls of one version that wait: it bounds memory
)

// group is the calls that may be put together.
type group struct {
	b    *Backend
	load *load

	mu      sync.Mutex // guards the rest
	rule    Rule
	claims  int // callers between group and the end of infer
	waiting priority.Line[*call]
	items   int64         // of those who wait
	running int           // batches under way
	took    time.Duration // of a batch, smoothed; 0: not known yet
	timer   *time.Timer   // set while somebody waits: when the first of them has waited its time
	epoch   uint64        // of the timer, so that one that fires late does nothing

	checked   map[pair]bool // sizes that have been found equal
	checkedOf uint64        // in which load
}

// call is one caller. Who takes it out of waiting answers it.
type call struct {
	ctx     context.Context
	request *backend.Request
	items   int64
	since   time.Time
	done    chan struct{} // closed when response or err is set
	out     *backend.Response
	err     error
	ended   bool // finish was called
}

// finish gives the caller its answer, once. Only whoever has taken the call out of those who wait calls it.
func (c *call) finish(out *backend.Response, err error) {
	if !c.ended {
		c.out, c.err, c.ended = out, err, true
		close(c.done)
	}
}

func (g *group) infer(ctx context.Context, r *backend.Request, items int64) (*backend.Response, error) {
	g.mu.Lock()
	g.claims--
	if g.running < g.parallel() && g.waiting.Len() == 0 {
		g.running++
		g.mu.Unlock()
		return g.direct(ctx, r, items)
	}
	class := priority.From(ctx)
	if err := g.load.full(r.Model); err != nil {
		out := g.waiting.Yielding(class)
		if out == nil {
			g.waiting.Refused(class)
			g.mu.Unlock()
			return nil, err
		}
		g.waiting.Yield(out)
		g.out(out, err)
	}
	c := &call{ctx: ctx, request: r, items: items, since: time.Now(), done: make(chan struct{})}
	if r.Memory != nil {
		r.Memory.Retain() // until its bytes have been copied, or it has left: see leave and run
	}
	place := g.waiting.Join(class, c.since, c)
	g.items += items
	g.load.waiting[class.Index()].Add(1)
	risen := g.follow(place)
	if g.items >= int64(g.rule.Size) && g.running < crowded*g.parallel() {
		g.flush()
	}
	g.arm()
	g.mu.Unlock()
	for {
		select {
		case <-c.done:
			return c.out, c.err
		case <-risen:
			g.mu.Lock()
			risen = g.follow(place)
			g.mu.Unlock()
			continue
		case <-ctx.Done():
		}
		if g.leave(place) {
			return nil, left(ctx)
		}
		select { // its batch is under way: it may have the answer by now
		case <-c.done:
			return c.out, c.err
		default:
			return nil, left(ctx)
		}
	}
}

// follow puts a call that waits into the class that it has by now, and gives what tells when that rises again. It needs mu.
func (g *group) follow(place *priority.Place[*call]) <-chan struct{} {
	was := place.Class()
	risen := g.waiting.Follow(place.Value.ctx, place)
	if is := place.Class(); is != was {
		g.load.waiting[was.Index()].Add(-1)
		g.load.waiting[is.Index()].Add(1)
	}
	return risen
}

// direct runs one call on its caller's goroutine, and then sends those off who came meanwhile.
func (g *group) direct(ctx context.Context, r *backend.Request, items int64) (*backend.Response, error) {
	began := time.Now()
	ok := false
	defer func() { g.ended(began, ok) }()
	g.b.observe(r.Model, items, 0)
	out, err := g.b.Inner.Infer(ctx, r)
	ok = err == nil
	if ok {
		g.load.is(out.Epoch)
	}
	return out, err
}

// ended notes that a batch is no longer under way.
func (g *group) ended(began time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if ok {
		took := time.Since(began)
		if g.took == 0 {
			g.took = took
		}
		g.took += (took - g.took) / learning
	}
	if g.running < g.parallel() {
		g.flush()
	}
	g.arm()
}

// flush sends a batch of those who wait. It needs mu.
func (g *group) flush() {
	var list []*call
	items, most := int64(0), int64(g.rule.Size)
	if !g.rule.Inexact && g.items < most {
		most = rounded(max(g.items, 1))
	}
	now := time.Now()
	for g.waiting.Len() > 0 {
		next := g.waiting.Next(now)
		c := next.Value
		if len(list) > 0 && items+c.items > most {
			break
		}
		if c.ctx.Err() != nil { // it is about to leave
			g.waiting.Leave(next)
			g.out(next, left(c.ctx))
			continue
		}
		g.waiting.Take(next, now)
		g.items -= c.items
		g.load.waiting[next.Class().Index()].Add(-1)
		items += c.items
		list = append(list, c)
	}
	if len(list) == 0 {
		return
	}
	g.running++
	rule := g.rule
	go func() {
		began := time.Now()
		ok := false
		defer func() { g.ended(began, ok) }()
		first := list[0].since
		for _, c := range list[1:] {
			if c.since.Before(first) {
				first = c.since
			}
		}
		g.b.observe(list[0].request.Model, items, began.Sub(first))
		ok = g.run(list, rule)
	}()
}

// rounded is the largest of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that is not above n. Each size of batch has to be compared once with as many single calls, so there are to be few.
// n is at least 1.
func rounded(n int64) int64 {
	step := int64(1) << (bits.Len64(uint64(n)) - 1)
	if step > 1 && n >= step+step/2 {
		return step + step/2
	}
	return step
}

// arm sees to it that the first of those who wait does not wait for ever. It needs mu.
func (g *group) arm() {
	g.epoch++
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if g.waiting.Len() == 0 || g.running >= crowded*g.parallel() {
		return
	}
	wait := g.rule.Bound
	if g.took > 0 {
		wait = min(wait, 2*g.took)
	}
	epoch := g.epoch
	g.timer = time.AfterFunc(time.Until(g.waiting.Oldest().Since().Add(wait)), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.epoch == epoch {
			g.flush()
			g.arm()
		}
	})
}

// leave takes a call out of those who wait; false where it is not among them any more.
func (g *group) leave(place *priority.Place[*call]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	oldest := g.waiting.Oldest() == place
	if !g.waiting.Leave(place) {
		return false
	}
	g.items -= place.Value.items
	g.load.waiting[place.Class().Index()].Add(-1)
	place.Value.free()
	if oldest {
		g.arm()
	}
	return true
}

// out ends a call that has been taken out of those who wait. It needs mu.
func (g *group) out(place *priority.Place[*call], err error) {
	c := place.Value
	g.items -= c.items
	g.load.waiting[place.Class().Index()].Add(-1)
	c.free()
	c.finish(nil, err)
}

func (g *group) parallel() int { return max(g.rule.Parallel, 1) }

// free lets the caller's memory go. It is called once, by whoever has taken the call out of those who wait.
func (c *call) free() {
	if c.request.Memory != nil {
		c.request.Memory.Release()
	}
}

func (b *Backend) observe(model string, items int64, wait time.Duration) {
	if b.options.Observe != nil {
		b.options.Observe(model, int(items), wait)
	}
}

// left is the error of a caller whose time is over or who went away.
func left(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return fault.New(fault.Timeout, "deadline_exceeded", "the deadline passed while the call waited for its batch").Wrap(ctx.Err())
	}
	return fault.New(fault.Canceled, "client_closed", "the caller went away").Wrap(ctx.Err())
}
