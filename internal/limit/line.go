package limit

// line is who waits, in order of arrival: a doubly linked ring without allocations beyond the waiters. Its owner's lock guards it.
type line struct {
	first, last *waiter
	length      int
}

type waiter struct {
	need       int64         // what it asks for
	turn       chan struct{} // closed when it has what it asked for
	prev, next *waiter
	inLine     bool
}

// join puts a new waiter at the end.
func (q *line) join(need int64) *waiter {
	w := &waiter{need: need, turn: make(chan struct{}), prev: q.last, inLine: true}
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.length++
	return w
}

// next takes the first one out and tells it.
func (q *line) next() {
	w := q.first
	q.leave(w)
	close(w.turn)
}

// leave takes a waiter out, wherever it stands. It reports false where it is not in line any more.
func (q *line) leave(w *waiter) bool {
	if !w.inLine {
		return false
	}
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.inLine = nil, nil, false
	q.length--
	return true
}
