package kserve

import (
	"sync/atomic"

	"triton-gateway/gateway/backend"
)

// lease is the memory of one request over HTTP: its body, and the tensors that were made of JSON. It is not used again itself, so that one
// release too many cannot free another request's buffers.
type lease struct {
	pool  *buffers
	refs  atomic.Int32
	held  []*buffer // changed by the request's own goroutine alone, before the lease is shared
	first [2]*buffer
	paid  []func() // release what was taken of the memory of all bodies
}

var _ backend.Memory = (*lease)(nil)

// newLease makes one with one holder.
func newLease(p *buffers) *lease {
	l := &lease{pool: p}
	l.held = l.first[:0]
	l.refs.Store(1)
	return l
}

// add gives n bytes. What is in them is left from others.
func (l *lease) add(n int64) []byte {
	b := l.pool.get(int(n))
	l.held = append(l.held, b)
	return b.data[:n:n]
}

// swap gives n bytes in place of what was added last, the bytes in old in front.
func (l *lease) swap(n int64, old []byte) []byte {
	b := l.pool.get(int(n))
	copy(b.data, old)
	last := &l.held[len(l.held)-1]
	(*last).Release()
	*last = b
	return b.data[:n:n]
}

// Retain adds a holder.
func (l *lease) Retain() {
	if l.refs.Add(1) <= 1 {
		panic("kserve: a request's memory is retained after its last release")
	}
}

// Release ends one holder's claim; with the last one the buffers go back.
func (l *lease) Release() {
	switch n := l.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("kserve: a request's memory is released too often")
	}
	for _, b := range l.held {
		b.Release()
	}
	l.held = nil
	for _, release := range l.paid {
		release()
	}
}
