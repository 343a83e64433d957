package pipeline

import (
	"sync/atomic"

	"triton-gateway/internal/fault"
)

// hold lends a request's body to a computation that may run on after the request has left. Exactly one of start and settle
// wins: either the computation takes the body over and lets it go itself, or the request takes it back unused.
type hold struct {
	body  *Body // nil where the item has no body
	taken atomic.Bool
}

// errAbandoned reaches callers who joined a computation whose own request had left before it began. They hold the same bytes
// and ask again.
var errAbandoned = fault.New(fault.Canceled, "client_closed", "the caller that began this computation went away")

func lend(b *Body) *hold {
	if b != nil {
		b.Retain()
	}
	return &hold{body: b}
}

// start claims the body for the computation, which must call done.
func (h *hold) start() bool { return h.taken.CompareAndSwap(false, true) }

func (h *hold) done() {
	if h.body != nil {
		h.body.Release()
	}
}

// settle takes the body back if the computation has not begun.
func (h *hold) settle() {
	if h.taken.CompareAndSwap(false, true) {
		h.done()
	}
}
