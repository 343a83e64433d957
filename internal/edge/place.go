package edge

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Patience is how long a request keeps its place while its body comes. Who takes longer asks again when all of it is here: places are for those who can
	// be served, and not for those who hold them.
	Patience = 250 * time.Millisecond
	// Earnest is how many bytes of a body count before they are here, whatever its header announces.
	Earnest = 1 << 20
)

// Places lends places. The zero value is useful; it is safe for concurrent use.
type Places struct{ pool sync.Pool }

// Place is a place that is given back by itself when its time is over.
type Place struct {
	home    *Places
	timer   *time.Timer
	mu      sync.Mutex
	release func()
}

// Hold keeps a place for Patience, after which release is called. The caller calls Keep.
func (p *Places) Hold(release func()) *Place {
	h, ok := p.pool.Get().(*Place)
	if !ok {
		h = &Place{home: p, release: release}
		h.timer = time.AfterFunc(Patience, h.over)
		return h
	}
	h.mu.Lock()
	h.release = release
	h.mu.Unlock()
	h.timer.Reset(Patience)
	return h
}

func (h *Place) over() {
	h.mu.Lock()
	release := h.release
	h.release = nil
	h.mu.Unlock()
	if release != nil {
		release()
	}
}

// Keep ends the waiting, once. It gives the release that Hold got, or nil if it was called meanwhile.
func (h *Place) Keep() (release func()) {
	stopped := h.timer.Stop()
	h.mu.Lock()
	release, h.release = h.release, nil
	h.mu.Unlock()
	if stopped { // else over may still be about to run
		h.home.pool.Put(h)
	}
	return release
}

// Receive asks for a place with admit, and reads a body of this length, -1 where it is not known, with read, which gives the bytes that have come. The place is asked
// for again when all is here, if the body took longer than Patience, and for what is beyond Earnest. After an error nothing is held, and what read has got is
// the caller's to let go.
func (p *Places) Receive(length int64, admit func(bytes int64) (release func(), err error), read func() (bytes int64, err error)) (release func(), err error) {
	counted := announced(length)
	first, err := admit(counted)
	if err != nil {
		return nil, err
	}
	place := p.Hold(first)
	n, err := read()
	first = place.Keep()
	switch {
	case err != nil && first != nil:
		first()
		return nil, err
	case err != nil:
		return nil, err
	case first == nil:
		return admit(n)
	case n <= counted:
		return first, nil
	}
	rest, err := admit(n - counted)
	if err != nil {
		first()
		return nil, err
	}
	return func() { rest(); first() }, nil
}

// announced is how much of a body counts before it is here.
func announced(length int64) int64 {
	if length < 0 || length > Earnest {
		return Earnest
	}
	return length
}

// Promise bounds the memory that is lent to bodies by what their header announces. Beyond it, a body gets memory as it comes. nil lends without a bound.
type Promise struct {
	most int64
	lent atomic.Int64
}

// NewPromise bounds what is lent at one time, in bytes.
func NewPromise(most int64) *Promise { return &Promise{most: most} }

// Lend says whether n bytes may be lent. Who got them gives them back when the body is here.
func (p *Promise) Lend(n int64) bool {
	if p == nil {
		return true
	}
	if n > p.most || p.lent.Add(n) > p.most {
		if n <= p.most {
			p.lent.Add(-n)
		}
		return false
	}
	return true
}

// Back gives n bytes back.
func (p *Promise) Back(n int64) {
	if p != nil {
		p.lent.Add(-n)
	}
}

// Lent is what is lent, in bytes.
func (p *Promise) Lent() int64 { return p.lent.Load() }
