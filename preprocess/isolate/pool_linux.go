package isolate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

const (
	// patience is how long a picture waits for a child. There are as many as pictures that are let in, so it waits for one that is started anew.
	patience = 10 * time.Second
	// hopeless is after how many children in a row that did not become ready nobody waits for the next one.
	hopeless = 3
	// keepInput is how much memory for a picture's bytes a child keeps from one to the next.
	keepInput = 8 << 20
	// lookEvery is after how many pictures the parent looks whether a child has worked long enough.
	lookEvery = 256
	// lifetime is for how long a child works, in processor time: what an odd picture has left behind in it does not stay for ever.
	lifetime = 5 * time.Minute
)

// pool keeps the children, and lends them.
type pool struct {
	options Options
	counts  counters
	slots   sync.WaitGroup // those who keep a child in each place
	drains  sync.WaitGroup
	closed  chan struct{}

	mu      sync.Mutex
	live    map[*child]bool // those that are ready; true: nobody uses it
	idle    []*child        // the last one is taken first: its memory is warm
	waiters []chan *child   // each takes one child
	trouble error           // why the last child did not become ready, while there is none
	unborn  int             // children in a row that did not become ready
	first   Report
	known   bool                // first is
	news    chan struct{}       // closed when first or trouble is there
	rung    int                 // how children are started; see rungs
	missing []string            // what the system refused until it came to that
	ended   bool                // close has begun
	born    map[*child]struct{} // all that have been started
}

func newPool(o Options) *pool {
	return &pool{options: o, closed: make(chan struct{}), live: map[*child]bool{}, born: map[*child]struct{}{}, news: make(chan struct{})}
}

// start fills the places, and waits for the first child.
func (p *pool) start(ctx context.Context) error {
	for range p.options.Children {
		p.slots.Go(p.keep)
	}
	select {
	case <-p.news:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.trouble
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends everything, and waits for it.
func (p *pool) close() {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended = true
	close(p.closed)
	for c := range p.born {
		c.kill(Retired)
	}
	p.mu.Unlock()
	p.slots.Wait()
	p.drains.Wait()
}

func (p *pool) ready() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.live)
}

func (p *pool) reported() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first
}

// ask has one child do a. A picture that a child failed on is not given to another.
func (p *pool) ask(ctx context.Context, a ask) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, fault.Ended(err, "before the picture was decoded")
	}
	number, ok := formatNumber(a.format)
	if !ok {
		return 0, fault.New(fault.Unsupported, "unsupported_media_type", "format %q is not served", a.format)
	}
	a.request.format = number
	if int64(len(a.data)) > p.options.Input || len(a.plan) > planRoom {
		return 0, fault.New(fault.TooLarge, "image_too_large", "the picture has %d bytes, and the decoder takes %d: make it smaller, or raise limits.body", len(a.data), p.options.Input)
	}
	c, err := p.take(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	resampling, over, err := c.do(ctx, &a, p.options.Timeout)
	p.counts.pictures.Add(1)
	p.counts.nanos.Add(int64(time.Since(begin)))
	if over {
		p.giveBack(c, len(a.data))
		return resampling, err
	}
	return 0, p.leave(ctx, c, err)
}

// leave parts with a child that has not answered, and says what the caller is told.
func (p *pool) leave(ctx context.Context, c *child, err error) error {
	switch {
	case errors.Is(err, errGone):
		ended := c.ended
		c.use.Unlock()
		return faultOf(err, ended, p.options.Timeout)
	case errors.Is(err, errStuck), errors.Is(err, errStarved):
		c.kill(Stuck)
	case errors.Is(err, errNonsense):
		c.kill(Nonsense)
	default: // the caller's context, or its sink
		p.drains.Go(func() { p.drain(c) })
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return fault.Ended(err, "while the picture was decoded")
		}
		return err
	}
	c.use.Unlock()
	return faultOf(err, "", p.options.Timeout)
}

// drain gets a child back that works on what nobody wants.
func (p *pool) drain(c *child) {
	c.call.Add(1)
	switch { // the canceler may have come before the child had its turn
	case c.cancel(func() bool { return true }):
	case c.area.turn().Load() == c.number && c.area.answer().state == stateMore:
		c.hand(turnCanceled) // the sink had enough of the parts
	}
	if !c.drain(p.options.Timeout) {
		if !c.gone.Load() {
			c.kill(Stuck)
		}
		c.use.Unlock()
		return
	}
	p.giveBack(c, keepInput+1)
}

// take lends a child. Its lock use is the caller's then.
func (p *pool) take(ctx context.Context) (*child, error) {
	for {
		c, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		c.use.Lock()
		if !c.gone.Load() {
			return c, nil
		}
		c.use.Unlock()
	}
}

// next gives an idle child, or the first that becomes so.
func (p *pool) next(ctx context.Context) (*child, error) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return nil, fault.New(fault.Draining, "draining", "the gateway is shutting down")
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.live[c] = false
		p.mu.Unlock()
		return c, nil
	}
	if p.trouble != nil && len(p.live) == 0 && p.unborn >= hopeless { // one that was killed while it started is no reason not to wait
		err := p.trouble
		p.mu.Unlock()
		return nil, absent(err)
	}
	mine := make(chan *child, 1)
	p.waiters = append(p.waiters, mine)
	p.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	select {
	case c := <-mine:
		return c, nil
	case <-ctx.Done():
		err = fault.Ended(ctx.Err(), "while the picture waited for a decoder")
	case <-timer.C:
		err = absent(nil)
	case <-p.closed:
		err = fault.New(fault.Draining, "draining", "the gateway is shutting down")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiters, mine); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	} else { // somebody has handed one over meanwhile
		p.putLocked(<-mine)
	}
	return nil, err
}

func absent(cause error) error {
	return fault.New(fault.Unavailable, "backend_unavailable", "no decoder is there now: they are being started; try again in a moment").After(time.Second).Wrap(cause)
}

// giveBack ends the use of a child that can take the next picture.
func (p *pool) giveBack(c *child, input int) {
	if input > keepInput {
		c.area.letGo(keepInput)
	}
	c.served++
	if c.served%lookEvery == 0 {
		if used, err := processorTime(c.process.Pid); err == nil && used > lifetime {
			c.kill(Retired)
			c.use.Unlock()
			return
		}
	}
	c.use.Unlock()
	p.mu.Lock()
	p.putLocked(c)
	p.mu.Unlock()
}

// putLocked hands an unused child to the one who has waited longest. One that has ended meanwhile is gone from live, and is not wanted.
func (p *pool) putLocked(c *child) {
	if _, known := p.live[c]; !known {
		return
	}
	if len(p.waiters) > 0 {
		p.waiters[0] <- c
		p.waiters = slices.Delete(p.waiters, 0, 1)
		return
	}
	p.live[c] = true
	p.idle = append(p.idle, c)
}
