package triton

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/limit"
	"triton-gateway/tritonpb"
)

const (
	// ejectAfter failures of the server in a row it is taken out of service; after one, if there was nobody to talk to.
	ejectAfter = 5
	// slowStart is how long an endpoint that came back, or is new, gets less than its share: from a quarter up to all of it.
	slowStart = 3 * time.Second
)

// health is what the calls and probes of one endpoint have shown. All times are Client.nanos.
type health struct {
	running atomic.Int64
	ejected atomic.Bool
	behind  atomic.Bool // it may lack what it needs; see Replica.Hold
	reason  atomic.Pointer[string]
	silent  atomic.Int64 // begin of the oldest time without a sign of life while calls were under way; 0: none
	fails   atomic.Int32 // failures of the server in a row
	misses  atomic.Int32 // probes and looks without an answer, in a row
	since   atomic.Int64 // when it came back; 0: long ago
	good    int32        // probes answered since it was ejected; for the goroutine that probes
	probed  atomic.Int64 // when the next probe is due
	probing atomic.Bool

	sent, failures, retries, hedges, ejections atomic.Uint64

	turns struct { // those that can be rescued
		sync.Mutex
		first *turn
	}
}

// begin counts a call that goes there.
func (h *health) begin(now time.Duration) {
	h.running.Add(1)
	if h.silent.Load() == 0 {
		h.silent.CompareAndSwap(0, int64(now))
	}
}

// alive notes an answer of a server that serves.
func (h *health) alive(now time.Duration) {
	if h.fails.Load() != 0 {
		h.fails.Store(0)
	}
	h.heard(now)
}

// heard notes a sign of life.
func (h *health) heard(now time.Duration) {
	next := int64(now)
	if h.running.Load() == 0 {
		next = 0
	}
	h.silent.Store(next)
	if h.misses.Load() != 0 {
		h.misses.Store(0)
	}
}

// load is the calls under way with the one that is to come. In slow start it counts four times as often as the start is young: so the endpoint
// gets a growing share of the calls, however many or few there are.
func (h *health) load(now time.Duration) int64 {
	load := h.running.Load() + 1
	since := h.since.Load()
	if since == 0 {
		return load
	}
	age := int64(now) - since
	if age >= int64(slowStart) {
		h.since.CompareAndSwap(since, 0)
		return load
	}
	if rand.Int64N(4*int64(slowStart)) < int64(slowStart)+3*age {
		return load
	}
	return 4 * load
}

// enlist makes a call one that can be rescued, until the function that it gives is called.
func (h *health) enlist(t *turn, leave context.CancelCauseFunc) func() {
	l := &h.turns
	l.Lock()
	defer l.Unlock()
	t.leave, t.prev, t.next = leave, nil, l.first
	if t.next != nil {
		t.next.prev = t
	}
	l.first = t
	return func() {
		l.Lock()
		defer l.Unlock()
		if t.prev != nil {
			t.prev.next = t.next
		} else {
			l.first = t.next
		}
		if t.next != nil {
			t.next.prev = t.prev
		}
		t.leave = nil
	}
}

// rescue ends the calls on an endpoint that does not answer, as many as may be made elsewhere.
func (c *Client) rescue(e *endpoint) {
	e.turns.Lock()
	defer e.turns.Unlock()
	for t := e.turns.first; t != nil; t = t.next {
		if t.rescued || t.fixed {
			continue
		}
		if !c.retries.allow(c.nanos()) {
			return
		}
		t.rescued = true
		t.leave(errRescued)
	}
}

// finish ends a turn: it tells limit, breaker and endpoint what came of the call, and lets the next in line go.
func (c *Client) finish(p *pool, t *turn, what effect, err error) {
	now, l, e := c.nanos(), t.lane, t.lane.e
	took := now - t.start
	e.running.Add(-1)
	ending := limit.Left // only answers show how long the model takes
	switch what {
	case unsent, late, broken:
	case sick:
		e.heard(now)
	default:
		e.alive(now)
	}
	opened := false
	switch what {
	case fine:
		ending = limit.Answered
		l.breaker.success()
		if p.tail != nil {
			p.tail.add(took)
		}
	case answered, unsent:
		l.breaker.neutral(t.trial)
	case crowded:
		ending = limit.Dropped
		l.breaker.neutral(t.trial)
	case unready:
		l.ready.Store(notReady)
		l.breaker.neutral(t.trial)
	case late:
		if usual := l.limit.Latency(); took > max(10*usual, time.Second) {
			opened = l.breaker.failure(now, t.trial, breakAfter)
			ending = limit.Late
		} else {
			l.breaker.neutral(t.trial)
		}
	case failed:
		opened = l.breaker.failure(now, t.trial, breakAfterErrors)
	case broken, sick:
		l.breaker.neutral(t.trial)
		c.failure(e, what == broken, err)
	}
	if what == failed || what == broken || what == sick || what == unready || what == late && ending == limit.Late {
		e.failures.Add(1)
	}
	if opened {
		c.log.Warn("a model keeps failing on an endpoint, and is not called there for a time", "model", p.model, "endpoint", e.name, "error", err)
	}
	l.limit.Release(now, took, ending)
	if p.waiting.Load() > 0 {
		p.dispatch(c)
	}
}

// failure counts a failure of the server, and ejects it after enough of them.
func (c *Client) failure(e *endpoint, gone bool, err error) {
	if n := e.fails.Add(1); gone || n >= ejectAfter {
		c.eject(e, errorText(err))
	}
}

// eject takes an endpoint out of service, unless it is the last. Calls that wait for it are made elsewhere, and it comes back over a fresh connection.
func (c *Client) eject(e *endpoint, why string) {
	c.judging.Lock()
	if !c.othersServe(e) || !e.ejected.CompareAndSwap(false, true) {
		c.judging.Unlock()
		return
	}
	e.reason.Store(&why)
	e.ejections.Add(1)
	e.good = 0
	e.probed.Store(int64(c.nanos() + firstProbe))
	c.judging.Unlock()
	c.log.Warn("a model server is taken out of service until it answers again", "endpoint", e.name, "because", why)
	c.rescue(e)
	e.link.renew()
	c.dispatch()
}

// othersServe reports whether another endpoint is in service.
func (c *Client) othersServe(e *endpoint) bool {
	for _, other := range c.list() {
		if other != e && !other.ejected.Load() {
			return true
		}
	}
	return false
}

// admit lets an ejected endpoint in again.
func (c *Client) admit(e *endpoint) {
	now := c.nanos()
	c.judging.Lock()
	e.since.Store(int64(now))
	e.silent.Store(0)
	e.fails.Store(0)
	e.misses.Store(0)
	e.reason.Store(nil)
	back := e.ejected.Swap(false)
	c.judging.Unlock()
	if back {
		c.log.Info("a model server is back in service", "endpoint", e.name)
		c.dispatch()
	}
}

// dispatch lets those who wait look again: what can serve has changed.
func (c *Client) dispatch() {
	for _, p := range c.pools.all() {
		if p.waiting.Load() > 0 {
			p.dispatch(c)
		}
	}
}

// looked takes a look's end for a probe, and what it saw for what is ready. A server without RepositoryIndex is asked for each model that was
// called.
func (c *Client) looked(ctx context.Context, e *endpoint, err error) {
	switch {
	case err == nil:
		e.alive(c.nanos())
		c.tell(e)
	case status.Code(err) == codes.Unimplemented:
		e.alive(c.nanos())
		c.askReady(ctx, e)
	case ctx.Err() == nil || context.Cause(ctx) == context.DeadlineExceeded:
		if code := status.Code(err); code == codes.Unavailable || code == codes.DeadlineExceeded {
			c.missed(e, err)
		}
	}
}

// missed counts a probe that was not answered.
func (c *Client) missed(e *endpoint, err error) {
	if e.misses.Add(1) >= missesToEject {
		c.eject(e, errorText(err))
	}
}

// tell passes on what the last look has seen ready.
func (c *Client) tell(e *endpoint) {
	for _, p := range c.pools.all() {
		if l := p.lanes.Load().of(e); l != nil {
			l.ready.Store(e.readiness(p.modelVersion))
		}
		if p.waiting.Load() > 0 {
			p.dispatch(c)
		}
	}
}

func (e *endpoint) readiness(id modelVersion) int32 {
	seen := e.seen.Load()
	switch {
	case seen == nil:
		return unseen
	case (*seen)[id]:
		return ready
	}
	return notReady
}

// askReady asks for each model that was called whether it is ready.
func (c *Client) askReady(ctx context.Context, e *endpoint) {
	for _, p := range c.pools.all() {
		l := p.lanes.Load().of(e)
		if l == nil {
			continue
		}
		answer, err := e.service.ModelReady(e.outgoing(ctx), &tritonpb.ModelReadyRequest{Name: p.model, Version: p.version})
		switch {
		case err != nil:
			return
		case answer.GetReady():
			l.ready.Store(ready)
		default:
			l.ready.Store(notReady)
		}
	}
}

// state is the endpoint's, but for its limit.
func (e *endpoint) state() backend.EndpointState {
	s := backend.EndpointState{Name: e.name, Running: int(e.running.Load()), Calls: e.sent.Load(), Failures: e.failures.Load(),
		Retries: e.retries.Load(), Hedges: e.hedges.Load(), Ejected: e.ejections.Load()}
	switch {
	case e.ejected.Load():
		s.Reason = e.why()
	case !e.reached():
		s.Reason = noConnection
	default:
		s.Ready = true
	}
	return s
}

// reached reports whether the server can be reached, as far as the last attempts have shown.
func (e *endpoint) reached() bool {
	state := e.conn.GetState()
	return state != connectivity.TransientFailure && (state == connectivity.Ready || !e.link.down())
}

// why says why the endpoint is ejected.
func (e *endpoint) why() string {
	if reason := e.reason.Load(); reason != nil {
		return *reason
	}
	return ""
}

func errorText(err error) string {
	var l *lost
	switch {
	case err == nil:
		return ""
	case errors.As(err, &l):
		return public(l.Error())
	}
	return public(status.Convert(err).Message())
}

// nowhere is the error where no endpoint can be asked.
func nowhere() *fault.Error {
	return fault.New(fault.Unavailable, "backend_unavailable", "no model server can be reached; try again later").After(comeBack)
}
