package kserve

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/h2"
)

const (
	smallestClass = 10 // a buffer of 1 KiB
	largestClass  = 26 // a buffer of 64 MiB; what is larger is left to the garbage collector
)

// buffers hands out memory for requests. It is used again when the last holder has let go; it is not cleared in between.
type buffers struct {
	classes [largestClass + 1]sync.Pool // by the power of two; of *buffer
	poison  bool                        // tests: overwrite what is let go
}

var (
	_ backend.Memory = (*buffer)(nil)
	_ h2.Buffer      = (*buffer)(nil)
)

// buffer is the bytes of one request.
type buffer struct {
	data  []byte
	home  *buffers
	class int
	refs  atomic.Int32
}

// get gives a buffer of n bytes with one holder.
func (p *buffers) get(n int) *buffer {
	class := max(smallestClass, bits.Len(uint(max(n-1, 0))))
	if class > largestClass {
		b := &buffer{data: make([]byte, n), home: p, class: class}
		b.refs.Store(1)
		return b
	}
	b, ok := p.classes[class].Get().(*buffer)
	if !ok {
		b = &buffer{data: make([]byte, 1<<class), home: p, class: class}
	}
	b.data = b.data[:n]
	b.refs.Store(1)
	return b
}

// Bytes is what is in it.
func (b *buffer) Bytes() []byte { return b.data }

// Retain adds a holder.
func (b *buffer) Retain() {
	if b.refs.Add(1) <= 1 {
		panic("kserve: a request's memory is retained after its last release")
	}
}

// Release ends one holder's claim.
func (b *buffer) Release() {
	switch n := b.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("kserve: a request's memory is released too often")
	}
	if b.home.poison {
		whole := b.data[:cap(b.data)]
		for i := range whole {
			whole[i] = 0xDB
		}
	}
	if b.class <= largestClass {
		b.data = b.data[:cap(b.data)]
		b.home.classes[b.class].Put(b)
	}
}
