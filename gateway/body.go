package gateway

import (
	"context"
	"math/bits"
	"net/http"
	"sync"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/edge"
	"triton-gateway/internal/fault"
)

const (
	smallestClass = 12 // buffers of 4 KiB and up, in powers of two
	classes       = 27 // up to 4 KiB << 26 = 256 GiB, far above any limit
	firstChunk    = 64 << 10
	window        = 256 << 10 // of an upload to the disk
	// waitForRoom is how long an upload waits for the memory of others before it is refused.
	waitForRoom = time.Second
)

// bodyPool reads bodies into buffers that are used again. A buffer goes back when the last holder of its Body lets go.
type bodyPool struct {
	limit   int64 // the largest body, in bytes
	budget  byteBudget
	rate    edge.Rate     // at which bodies have to come
	promise *edge.Promise // memory that is lent to bodies that are to come; may be nil
	cut     *edge.Counts  // may be nil
	freed   func([]byte)  // for tests: sees a buffer before it is used again; may be nil
	pools   [classes]sync.Pool
}

// buffer is one pooled buffer. Its free function is made once, so that lending it again costs nothing.
type buffer struct {
	data    []byte // full capacity
	class   int
	release func() // of the budget
	free    func()
}

func (p *bodyPool) get(size int64) *buffer {
	class := 0
	if size > 1<<smallestClass {
		class = bits.Len64(uint64(size-1)) - smallestClass
	}
	if b, ok := p.pools[class].Get().(*buffer); ok {
		return b
	}
	b := &buffer{data: make([]byte, 1<<(smallestClass+class)), class: class}
	b.free = func() { p.put(b) }
	return b
}

func (p *bodyPool) put(b *buffer) {
	if p.freed != nil {
		p.freed(b.data)
	}
	b.release()
	b.release = nil
	p.pools[b.class].Put(b)
}

// take gets a buffer for size bytes, paid for by the budget. It waits a moment for others to finish, not longer.
func (p *bodyPool) take(ctx context.Context, size int64) (*buffer, error) {
	release, err := takeBytes(ctx, p.budget, size)
	if err != nil {
		return nil, err
	}
	b := p.get(size)
	b.release = release
	return b, nil
}

// read reads the whole body of r, once, and leaves http.NoBody in its place. The caller releases the Body.
//
// Errors: TooLarge body_too_large (by Content-Length before anything is read), Busy queue_full, Timeout deadline_exceeded for a
// client that sends too slowly, Invalid invalid_request for an empty or cut body, or the error of r's context.
func (p *bodyPool) read(w http.ResponseWriter, r *http.Request) (*pipeline.Body, error) {
	switch {
	case r.ContentLength > p.limit:
		return nil, p.tooLarge()
	case r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody:
		return nil, emptyBody()
	}
	size := r.ContentLength
	whole := size > 0 && (size <= firstChunk || p.promise.Lend(size))
	if whole && size > firstChunk {
		defer p.promise.Back(size)
	}
	if !whole {
		size = min(firstChunk, p.limit)
	}
	b, err := p.take(r.Context(), size)
	if err != nil {
		return nil, err
	}
	in := p.reader(w, r)
	defer in.done()
	n, ended := 0, false
	if whole {
		n, ended, err = in.fill(b.data[:size])
		if err == nil && ended {
			err = cutBody()
		}
	} else {
		b, n, err = p.grow(b, &in)
		if err == nil && r.ContentLength > int64(n) {
			err = cutBody()
		}
	}
	if err == nil && n == 0 {
		err = emptyBody()
	}
	if err != nil {
		p.put(b)
		return nil, err
	}
	r.Body = http.NoBody // net/http keeps its own
	return pipeline.NewBody(b.data[:n:n], b.free).Within(int64(len(b.data))), nil
}

// grow reads a body into ever larger buffers, up to the limit: one of unknown length, or one that is lent nothing for what its header announces. It gives back the
// buffer that is in use at the end.
func (p *bodyPool) grow(b *buffer, in *reader) (*buffer, int, error) {
	n := 0
	for {
		m, ended, err := in.fill(b.data[n:min(int64(len(b.data)), p.limit+1)])
		n += m
		switch {
		case err != nil:
			return b, n, err
		case int64(n) > p.limit:
			return b, n, p.tooLarge()
		case ended:
			return b, n, nil
		}
		size := min(2*int64(len(b.data)), p.limit+1)
		if announced := in.r.ContentLength; announced > 0 {
			size = min(2*size, announced+1, p.limit+1)
		}
		larger, err := p.take(in.r.Context(), size)
		if err != nil {
			return b, n, err
		}
		copy(larger.data, b.data[:n])
		p.put(b)
		b = larger
	}
}

func (p *bodyPool) tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "the body is larger than %d bytes; send less, or raise limits.body", p.limit).At("body", "too large")
}

func emptyBody() error {
	return fault.New(fault.Invalid, "invalid_request", "the body is empty; send a picture, a form with the field image, or JSON").At("body", "empty")
}
