package h2

import (
	"time"

	"triton-gateway/internal/edge"
)

// watchEvery is how often calls are looked at. So late, at most, a slow one ends.
const watchEvery = 500 * time.Millisecond

// watched is what the watch knows of a call. It is under the connection's mu.
type watched struct {
	coming, going edge.Pace
	rate          edge.Rate
	had, sent     int64 // at the last look
}

func (w *watched) begin(r edge.Rate, now time.Time) {
	w.rate = r
	w.coming = edge.Begin(r, now)
}

// watch ends calls whose client does not send what it began, or does not take its answer, and connections that are idle. One goroutine looks at all of them now and
// then: a clock for each call would cost every call.
func (s *Server) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var list []*serverConn
	for {
		select {
		case <-s.ended:
			return
		case now := <-tick.C:
			list = list[:0]
			s.mu.Lock()
			for c := range s.conns {
				list = append(list, c)
			}
			s.mu.Unlock()
			for _, c := range list {
				c.inspect(now)
			}
			clear(list)
		}
	}
}

// inspect looks at the calls of a connection.
func (c *serverConn) inspect(now time.Time) {
	ended := false
	c.mu.Lock()
	if c.options.Rate > 0 {
		for _, call := range c.calls {
			switch {
			case call.sendsTooSlowly(now):
				c.options.Cut(edge.SlowBody)
				if !call.begun {
					c.refuse(call, tooSlow(), nil)
					break
				}
				call.refused = tooSlow() // for who receives
				call.poke(call.came)
			case call.takesTooSlowly(now):
				c.options.Cut(edge.SlowReader)
				c.abort(call, CodeCancel)
			default:
				continue
			}
			ended = true
		}
	}
	idle := c.restsTooLong(now)
	c.mu.Unlock()
	switch {
	case idle:
		c.options.Cut(edge.Idle)
		c.drain()
	case ended:
		c.flushSoon()
	}
}

func tooSlow() *Status {
	return &Status{Code: statusDeadline, Message: "h2: the message came too slowly"}
}

// sendsTooSlowly looks at what is missing of a message. Between the messages of a stream there may be any time. The caller has the connection's mu.
func (c *ServerCall) sendsTooSlowly(now time.Time) bool {
	w := &c.watch
	moved := c.had - w.had
	w.had = c.had
	waits := !c.clientDone && c.refused == nil && len(c.queue) == 0 && len(c.backlog) == 0 && (!c.begun || c.partial)
	if !waits {
		w.coming = edge.Begin(w.rate, now)
		return false
	}
	w.coming.Took(int(moved), now)
	return w.coming.Late(now)
}

// takesTooSlowly looks at an answer that waits for window. The caller has the connection's mu.
func (c *ServerCall) takesTooSlowly(now time.Time) bool {
	w := &c.watch
	moved := c.sent - w.sent
	w.sent = c.sent
	if !c.blocked {
		w.going = edge.Pace{}
		return false
	}
	if w.going == (edge.Pace{}) {
		w.going = edge.Begin(w.rate, now.Add(edge.Slack-edge.Grace))
		return false
	}
	w.going.Took(int(moved), now)
	return w.going.Late(now)
}

// restsTooLong looks for calls since the last look. The caller has mu.
func (c *serverConn) restsTooLong(now time.Time) bool {
	switch {
	case c.options.Idle <= 0 || c.draining || c.err != nil:
		return false
	case c.active > 0 || len(c.calls) > 0 || c.idleSince.IsZero() || c.idleAt != c.lastID:
		c.idleSince, c.idleAt = now, c.lastID
		return false
	}
	return now.Sub(c.idleSince) > c.options.Idle
}
