package triton

import (
	"container/list"
	"context"
	"strconv"
	"sync"
	"time"

	"triton-gateway/internal/fault"
)

const (
	// sequenceIdle is how long a sequence may be silent before it is forgotten here: far longer than Triton's own default of a second.
	sequenceIdle = 10 * time.Minute
	// mostSequences bounds those that are known at a time.
	mostSequences = 65_536
)

// sequence is what the parameters of a request say about the sequence that it belongs to; id "" means none.
type sequence struct {
	model, version, id string
	start, end         bool
}

// sequenceOf reads the parameters of Triton's sequence extension: 0 and "" mean none.
func sequenceOf(r *inferRequest) sequence {
	if len(r.params) == 0 {
		return sequence{}
	}
	s := sequence{model: r.model, version: r.version}
	switch id := r.params["sequence_id"].(type) {
	case int64:
		if id != 0 {
			s.id = strconv.FormatInt(id, 10)
		}
	case uint64:
		if id != 0 {
			s.id = strconv.FormatUint(id, 10)
		}
	case string:
		if id != "" {
			s.id = strconv.Quote(id)
		}
	}
	s.start, _ = r.params["sequence_start"].(bool)
	s.end, _ = r.params["sequence_end"].(bool)
	return s
}

type sequenceKey struct{ model, version, id string }

func (s *sequence) key() sequenceKey { return sequenceKey{s.model, s.version, s.id} }

// sequences knows which endpoint holds the state of which sequence.
type sequences struct {
	most int

	mu    sync.Mutex
	known map[sequenceKey]*list.Element
	order list.List // of *bound, the one that was used longest ago first
}

type bound struct {
	key  sequenceKey
	e    *endpoint
	used time.Duration
}

// of gives the endpoint of a sequence; nil where none is known.
func (s *sequences) of(q sequence, now time.Duration) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	at := s.known[q.key()]
	if at == nil {
		return nil
	}
	b := at.Value.(*bound)
	b.used = now
	s.order.MoveToBack(at)
	return b.e
}

// bind notes the endpoint of a sequence. It reports false where too many are known.
func (s *sequences) bind(q sequence, e *endpoint, now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if at := s.known[q.key()]; at != nil {
		b := at.Value.(*bound)
		b.e, b.used = e, now
		s.order.MoveToBack(at)
		return true
	}
	if len(s.known) >= s.most {
		return false
	}
	if s.known == nil {
		s.known = map[sequenceKey]*list.Element{}
	}
	s.known[q.key()] = s.order.PushBack(&bound{q.key(), e, now})
	return true
}

func (s *sequences) forget(q sequence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.known[q.key()]; at != nil {
		s.order.Remove(at)
		delete(s.known, q.key())
	}
}

// expire needs mu.
func (s *sequences) expire(now time.Duration) {
	for at := s.order.Front(); at != nil && now-at.Value.(*bound).used > sequenceIdle; at = s.order.Front() {
		delete(s.known, at.Value.(*bound).key)
		s.order.Remove(at)
	}
}

// placeOfSequence gives a turn on the endpoint that has the sequence, or on any where it begins.
func (c *Client) placeOfSequence(ctx context.Context, p *pool, s sequence) (turn, error) {
	if ctx.Err() != nil {
		return turn{}, left(ctx)
	}
	now := c.nanos()
	if !s.start {
		if e := c.sequences.of(s, now); e != nil {
			l := p.set(c).of(e)
			if l == nil || e.ejected.Load() {
				c.sequences.forget(s)
				return turn{}, gone(s, e)
			}
			trial, ok := l.breaker.enter(now)
			if !ok {
				return turn{}, p.refused(c, open)
			}
			l.limit.Force() // there is no other place to wait for, and the client of a sequence waits for each answer
			e.begin(now)
			return turn{lane: l, trial: trial, start: now, fixed: true}, nil
		}
	}
	t, err := c.place(ctx, p)
	if err != nil {
		return turn{}, err
	}
	if t.fixed = true; !c.sequences.bind(s, t.lane.e, now) {
		p.giveBack(c, &t)
		return turn{}, fault.New(fault.Busy, "queue_full", "%d sequences are under way, which is as many as the gateway follows; end some first", c.sequences.most).After(comeBack)
	}
	return t, nil
}

// inferSequence makes a call of a sequence. Only the one that starts it may be made a second time elsewhere: later ones need the state that is in one
// server.
func (c *Client) inferSequence(ctx context.Context, p *pool, s sequence, request *inferRequest, answer *inferResponse) error {
	t, err := c.placeOfSequence(ctx, p, s)
	if err != nil {
		return err
	}
	again, err := c.attempt(ctx, p, &t, request, answer)
	if err != nil && s.start && again != never && ctx.Err() == nil {
		if second, found := c.secondTurn(ctx, p, &t, again); found {
			second.fixed = true
			t = second
			c.sequences.bind(s, t.lane.e, c.nanos())
			_, err = c.attempt(ctx, p, &t, request, answer)
		}
	}
	switch {
	case err == nil && s.end, err != nil && s.start:
		c.sequences.forget(s)
	case err != nil && t.lane.e.ejected.Load():
		c.sequences.forget(s)
		return gone(s, t.lane.e).Wrap(err)
	}
	if err != nil {
		return translate(ctx, err)
	}
	return nil
}

// gone is the error of a sequence whose endpoint is.
func gone(s sequence, e *endpoint) *fault.Error {
	return fault.New(fault.Unavailable, "backend_unavailable", "sequence %s of model %q was on a model server that is out of service; start it again", s.id, s.model).
		After(comeBack).Wrap(&goneError{e.name})
}

// goneError is for the log.
type goneError struct{ endpoint string }

func (e *goneError) Error() string { return "endpoint " + e.endpoint + " is out of service" }
