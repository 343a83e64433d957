package priority

import (
	"context"
	"time"
)

// Line is who waits: each class in order of arrival, and the classes among themselves by weights and age. The zero value is an empty line by the default rules.
// Its owner's lock guards it.
//
// By weights: a class has a clock that each turn moves on by 1/weight, and the class whose clock would be behind after its turn is next; one that begins to wait sets
// its clock to the others' (self-clocked fair queueing, Golestani 1994, with turns that are all alike). By age: of four turns one goes to who has come first of all, if that was Rules.Ageing ago. So a place
// with n older ones before it is reached after Ageing and 4n+4 turns at most, whatever else comes.
//
// Nothing but Join allocates.
type Line[T any] struct {
	policy Policy
	queues [Classes]queue[T]
	length int
	clock  uint64    // of the class that had the last turn by weight, before that turn
	turns  int       // by weight, since one by age
	aged   *Place[T] // that Next has chosen for its age
}

// queue is one class, a doubly linked list.
type queue[T any] struct {
	first, last *Place[T]
	length      int
	clock       uint64
}

// Place is one in line.
type Place[T any] struct {
	Value      T
	class      Class
	since      time.Time
	prev, next *Place[T]
	inLine     bool
}

const (
	unit      = 1 << 20 // that a turn moves the clock of a class of weight 1 on
	turnsEach = 3       // turns by weight before one by age
)

// Class is the class that the place has: that with which it was taken, or a more urgent one; see Follow.
func (p *Place[T]) Class() Class { return p.class }

// Since is when it was taken.
func (p *Place[T]) Since() time.Time { return p.since }

// Waits reports whether it is in line still.
func (p *Place[T]) Waits() bool { return p.inLine }

// Under sets the rules of an empty line.
func (l *Line[T]) Under(p Policy) { l.policy = p }

// Len is how many wait.
func (l *Line[T]) Len() int { return l.length }

// Join puts somebody at the end of a class.
func (l *Line[T]) Join(c Class, now time.Time, value T) *Place[T] {
	p := &Place[T]{Value: value, class: c, since: now, inLine: true}
	q := &l.queues[c.Index()]
	q.insert(p, q.last, l.clock)
	l.length++
	return p
}

// insert puts a place behind another one; nil: to the front. clock is that of the line.
func (q *queue[T]) insert(p, after *Place[T], clock uint64) {
	if q.last == nil {
		q.clock = max(q.clock, clock)
	}
	p.prev, p.next = after, q.first
	if after == nil {
		q.first = p
	} else {
		p.next, after.next = after.next, p
	}
	if p.next == nil {
		q.last = p
	} else {
		p.next.prev = p
	}
	q.length++
}

// remove takes a place out, wherever it stands.
func (q *queue[T]) remove(p *Place[T]) {
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
	q.length--
}

// Next is who has the next turn; nil where nobody waits. Without a Join, Take or Leave between, it stays the same but for age.
func (l *Line[T]) Next(now time.Time) *Place[T] {
	l.aged = nil
	best, ends := -1, uint64(0)
	for i := range l.queues {
		q := &l.queues[i]
		if q.first == nil {
			continue
		}
		if end := q.clock + unit/l.policy.weight(i); best < 0 || end < ends {
			best, ends = i, end
		}
	}
	if best < 0 {
		return nil
	}
	if l.turns >= turnsEach && l.queues[best].length < l.length {
		if p := l.Oldest(); now.Sub(p.since) >= l.policy.ageing() {
			l.aged = p
			return p
		}
	}
	return l.queues[best].first
}

// Take gives somebody the turn that Next has said.
func (l *Line[T]) Take(p *Place[T], now time.Time) {
	l.policy.Meter.served(p.class, now.Sub(p.since))
	if l.aged == p {
		l.turns = 0
	} else {
		q := &l.queues[p.class.Index()]
		l.clock = q.clock
		q.clock += unit / l.policy.weight(p.class.Index())
		l.turns++
	}
	l.Leave(p)
}

// Leave takes a place out, wherever it stands. It reports false where it is not in line any more.
func (l *Line[T]) Leave(p *Place[T]) bool {
	if !p.inLine {
		return false
	}
	l.queues[p.class.Index()].remove(p)
	p.inLine = false
	l.aged = nil
	if l.length--; l.length == 0 { // what was before is settled
		l.clock, l.turns = 0, 0
		for i := range l.queues {
			l.queues[i].clock = 0
		}
	}
	return true
}

// Follow puts somebody who waits into the class that ctx has by now, where that is more urgent: as if it had come with that class. It gives a channel that is closed when the class
// rises again, which is the time to call it again; nil where that cannot be. See Share.
func (l *Line[T]) Follow(ctx context.Context, p *Place[T]) <-chan struct{} {
	if !p.inLine {
		return nil
	}
	if c := From(ctx); c < p.class {
		l.queues[p.class.Index()].remove(p)
		p.class, l.aged = c, nil
		q := &l.queues[c.Index()]
		after := q.last
		for after != nil && p.since.Before(after.since) { // a class stays in order of arrival
			after = after.prev
		}
		q.insert(p, after, l.clock)
	}
	return Risen(ctx, p.class)
}

// Oldest is who waits longest; nil where nobody waits.
func (l *Line[T]) Oldest() (p *Place[T]) {
	for i := range l.queues {
		if first := l.queues[i].first; first != nil && (p == nil || first.since.Before(p.since)) {
			p = first
		}
	}
	return p
}

// Yielding is who has to go where a full line is joined by somebody of the class c: the newest of the least urgent class; nil where nobody is less urgent than c.
func (l *Line[T]) Yielding(c Class) *Place[T] {
	for i := Classes - 1; i > c.Index(); i-- {
		if last := l.queues[i].last; last != nil {
			return last
		}
	}
	return nil
}

// Yield takes a place out for somebody more urgent. Its owner tells it.
func (l *Line[T]) Yield(p *Place[T]) {
	if l.Leave(p) {
		l.policy.Meter.Refused(p.class)
	}
}

// Refused counts somebody who found no place in line.
func (l *Line[T]) Refused(c Class) { l.policy.Meter.Refused(c) }

// Before estimates how many turns somebody of the class c who joins now waits for, if nobody else comes: those of the same class, and of each other class as many
// as have a turn meanwhile by weight.
func (l *Line[T]) Before(c Class) int {
	i := c.Index()
	n := l.queues[i].length
	if n == l.length {
		return n
	}
	rounds, sum := uint64(n)+1, n
	for j := range l.queues {
		if j != i {
			turns := (rounds*l.policy.weight(j) + l.policy.weight(i) - 1) / l.policy.weight(i)
			sum += int(min(uint64(l.queues[j].length), turns))
		}
	}
	return sum
}
