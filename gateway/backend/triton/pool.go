package triton

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/limit"
)

const (
	// firstLimit is how many calls of a model an endpoint is given at a time until more is known.
	firstLimit = 32
	mostCalls  = 1000
	// mostPools bounds the models that are told apart. Names that no server has come from callers and would fill the memory.
	mostPools = 10_000
)

// lane is one version of a model on one endpoint.
type lane struct {
	e       *endpoint
	calls   *callCount
	ready   atomic.Int32 // readiness
	limit   *limit.Adaptive
	breaker breaker
}

// readiness of a lane.
const (
	unseen   int32 = iota // no look has told yet
	ready                 // the last look has seen it
	notReady              // the last look, or an answer since, says that it is not there
)

// pool is one version of a model on all endpoints, and who waits for it.
type pool struct {
	modelVersion
	tail *tail // of the latencies; nil where calls are not hedged

	lanes   atomic.Pointer[laneSet]
	waiting atomic.Int32
	press   press
	mu      sync.Mutex // guards line, and the making of lanes
	line    line
}

// laneSet belongs to one list of endpoints, in its order.
type laneSet struct {
	members *[]*endpoint
	lanes   []*lane
}

// turn is a place on an endpoint, from grab to finish or giveBack.
type turn struct {
	lane    *lane
	trial   bool // of the breaker
	rescued bool // it was ended because the endpoint was ejected, and the retry is paid for
	fixed   bool // it belongs to a sequence, and must not be made elsewhere
	start   time.Duration

	leave      context.CancelCauseFunc // nil where the call cannot be rescued
	prev, next *turn                   // of the endpoint's list
}

// pick is what grab found.
type pick uint8

const (
	found pick = iota
	full       // all endpoints that could serve are at their limits
	open       // all that could serve have their breakers open
	none       // no endpoint can be reached
)

// set gives the lanes for the endpoints of this moment.
func (p *pool) set(c *Client) *laneSet {
	members := c.members.Load()
	if s := p.lanes.Load(); s != nil && s.members == members {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remake(c)
}

// remake makes lanes for new endpoints, and keeps those of the others. It needs mu.
func (p *pool) remake(c *Client) *laneSet {
	members := c.members.Load()
	old := p.lanes.Load()
	if old != nil && old.members == members {
		return old
	}
	next := &laneSet{members: members}
	most := c.config.MaxRunning
	if most == 0 {
		most = mostCalls
	}
	for _, e := range *members {
		l := old.of(e)
		if l == nil {
			l = &lane{e: e, calls: e.calls.of(p.model, p.version), limit: limit.NewAdaptive(1, min(firstLimit, most), most)}
			l.ready.Store(e.readiness(p.modelVersion))
		}
		next.lanes = append(next.lanes, l)
	}
	p.lanes.Store(next)
	return next
}

func (s *laneSet) of(e *endpoint) *lane {
	if s == nil {
		return nil
	}
	for _, l := range s.lanes {
		if l.e == e {
			return l
		}
	}
	return nil
}

// grab takes a place where the fewest calls are under way, of the endpoints that have the model ready and are not except; where no look has seen it ready
// anywhere, of all that are not ejected, for looks may lag. It does not wait.
func (p *pool) grab(c *Client, now time.Duration, except ...*endpoint) (turn, pick) {
	return p.set(c).grab(now, except)
}

func (s *laneSet) grab(now time.Duration, except []*endpoint) (turn, pick) {
	for {
		l, v := s.choose(now, except)
		if v != found {
			return turn{}, v
		}
		if !l.limit.TryAcquire() {
			continue // another was faster
		}
		trial, ok := l.breaker.enter(now)
		if !ok {
			l.limit.Release(now, 0, limit.Left)
			continue
		}
		l.e.begin(now)
		return turn{lane: l, trial: trial, start: now}, found
	}
}

// choose finds the best lane, by chance where several are as good.
func (s *laneSet) choose(now time.Duration, except []*endpoint) (*lane, pick) {
	var best [2]*lane // ready, and the others
	var least [2]int64
	var ties [2]uint32
	var crowd, shut [2]bool
	for _, l := range s.lanes {
		if l.e.ejected.Load() || holds(except, l.e) {
			continue
		}
		class := 0
		if l.ready.Load() != ready || l.e.behind.Load() {
			class = 1
		}
		if !l.breaker.allows(now) {
			shut[class] = true
			continue
		}
		if !l.limit.Free() {
			crowd[class] = true
			continue
		}
		switch load := l.e.load(now); {
		case best[class] == nil || load < least[class]:
			best[class], least[class], ties[class] = l, load, 1
		case load == least[class]:
			if ties[class]++; rand.Uint32N(ties[class]) == 0 {
				best[class] = l
			}
		}
	}
	for class := range best {
		switch {
		case best[class] != nil:
			return best[class], found
		case crowd[class]:
			return nil, full
		}
	}
	if shut[0] || shut[1] {
		return nil, open
	}
	return nil, none
}

func holds(list []*endpoint, e *endpoint) bool {
	for _, x := range list {
		if x == e {
			return true
		}
	}
	return false
}

// readyElsewhere reports whether another endpoint than e is known to have the model ready.
func (p *pool) readyElsewhere(e *endpoint) bool {
	for _, l := range p.lanes.Load().lanes {
		if l.e != e && l.ready.Load() == ready && !l.e.ejected.Load() {
			return true
		}
	}
	return false
}

// giveBack ends a turn that was not used.
func (p *pool) giveBack(c *Client, t *turn) { c.finish(p, t, unsent, nil) }

// take chooses the endpoint for a call: of those that have the model ready the one with the fewest calls under way, none of those in tried
// unless no other is left. It waits where all are at their limits, until ctx ends or the line is too long. done has to be called once, with the
// error of the call as grpc gave it, nil for success.
func (c *Client) take(ctx context.Context, r *inferRequest, tried ...*endpoint) (e *endpoint, done func(error), err error) {
	p := c.pools.of(c, r.model, r.version)
	c.retries.called(c.nanos())
	var t turn
	s := sequenceOf(r)
	switch {
	case s.id != "":
		t, err = c.placeOfSequence(ctx, p, s)
	case len(tried) > 0:
		v := none
		if t, v = p.grab(c, c.nanos(), tried...); v != found {
			t, err = c.place(ctx, p)
		}
	default:
		t, err = c.place(ctx, p)
	}
	if err != nil {
		return nil, nil, err
	}
	t.lane.e.sent.Add(1)
	t.lane.calls.begin()
	return t.lane.e, func(err error) {
		// UNAVAILABLE without a text of Triton's may be the connection's, and then the call may have been counted.
		said, _ := status.FromError(err)
		told := said.Code() != codes.Unavailable || find(said).text != ""
		t.lane.calls.end(outcomeOf(err, told))
		what := fine
		if err != nil {
			what, _ = judged(ctx, err, told)
		}
		c.finish(p, &t, what, err)
		if s.id != "" && s.end {
			c.sequences.forget(s)
		}
	}, nil
}

// pools are the pools of all models.
type pools struct {
	config *Config
	mu     sync.RWMutex
	list   map[modelVersion]*pool
}

// of gives the pool of a model, and makes it where there is none.
func (s *pools) of(c *Client, model, version string) *pool {
	key := modelVersion{model, version}
	s.mu.RLock()
	p := s.list[key]
	s.mu.RUnlock()
	if p != nil {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) >= mostPools {
		key = modelVersion{}
	}
	if p = s.list[key]; p != nil {
		return p
	}
	p = &pool{modelVersion: key}
	p.line.Under(s.config.Priorities)
	if c.several && slices.Contains(s.config.Hedge, model) {
		p.tail = new(tail)
	}
	p.remake(c)
	if s.list == nil {
		s.list = map[modelVersion]*pool{}
	}
	s.list[key] = p
	return p
}

// known gives the pool of a model that was called before; nil where it was not.
func (s *pools) known(model, version string) *pool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list[modelVersion{model, version}]
}

func (s *pools) all() []*pool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.list))
}

// Endpoints tells the state of every server, in the order of the configuration.
func (c *Client) Endpoints() []backend.EndpointState {
	members := c.list()
	out := make([]backend.EndpointState, 0, len(members))
	for _, e := range members {
		s := e.state()
		for _, p := range c.pools.all() {
			if l := p.lanes.Load().of(e); l != nil {
				s.Limit += l.limit.Limit()
			}
		}
		out = append(out, s)
	}
	return out
}
