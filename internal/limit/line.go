package limit

import (
	"context"
	"time"

	"triton-gateway/internal/priority"
)

// line is who waits; see priority.Line. Its owner's lock guards it.
type line struct{ priority.Line[waiter] }

// waiter is one of them. turn is closed when it has what it asked for, or when err says why not.
type waiter struct {
	need int64 // what it asks for
	turn chan struct{}
	err  error
}

type place = priority.Place[waiter]

// join puts a new waiter at the end of its class.
func (q *line) join(ctx context.Context, need int64) *place {
	return q.Join(priority.From(ctx), time.Now(), waiter{need: need, turn: make(chan struct{})})
}

// next gives a turn to p, whom Next has said.
func (q *line) next(p *place, now time.Time) {
	q.Take(p, now)
	close(p.Value.turn)
}

// turnOut tells p that somebody more urgent has taken its place in line.
func (q *line) turnOut(p *place, err error) {
	q.Yield(p)
	p.Value.err = err
	close(p.Value.turn)
}
