package gateway

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"net"
	"net/http"
	"sync"
	"time"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

const (
	smallestClass = 12 // buffers of 4 KiB and up, in powers of two
	classes       = 27 // up to 4 KiB << 26 = 256 GiB, far above any limit
	firstChunk    = 64 << 10
	// window bytes have to arrive within windowTime, or the upload is given up: a slow client holds memory that others need.
	window     = 256 << 10
	windowTime = 16 * time.Second
	// waitForRoom is how long an upload waits for the memory of others before it is refused.
	waitForRoom = time.Second
)

// byteBudget bounds the bytes of all bodies that are in memory at the same time.
type byteBudget interface {
	// Acquire waits for n bytes. The caller calls release when the bytes are free again. Errors: Busy, Timeout where ctx ended first.
	Acquire(ctx context.Context, n int64) (release func(), err error)
}

// bodyPool reads bodies into buffers that are used again. A buffer goes back when the last holder of its Body lets go.
type bodyPool struct {
	limit  int64 // the largest body, in bytes
	budget byteBudget
	freed  func([]byte) // for tests: sees a buffer before it is used again; may be nil
	pools  [classes]sync.Pool
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
	short := &patience{Context: ctx}
	release, err := p.budget.Acquire(short, size)
	if err != nil {
		if ctx.Err() == nil && fault.KindOf(err) != fault.TooLarge {
			err = fault.New(fault.Busy, "queue_full", "too many bytes of uploads are in work at this moment; come again in a second").After(time.Second).Wrap(err)
		}
		short.stop()
		return nil, err
	}
	short.stop()
	b := p.get(size)
	b.release = release
	return b, nil
}

// patience is a context that ends after waitForRoom, counted from the first time that somebody waits on it: where nobody has to wait, no timer is made.
type patience struct {
	context.Context
	timed  context.Context
	cancel context.CancelFunc
}

// Done starts the clock.
func (p *patience) Done() <-chan struct{} {
	if p.timed == nil {
		p.timed, p.cancel = context.WithTimeout(p.Context, waitForRoom)
	}
	return p.timed.Done()
}

// Err reports the end of the wait as well as that of the request.
func (p *patience) Err() error {
	if p.timed != nil {
		return p.timed.Err()
	}
	return p.Context.Err()
}

func (p *patience) stop() {
	if p.cancel != nil {
		p.cancel()
	}
}

// read reads the whole body of r, once. The caller releases the Body.
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
	if size < 0 {
		size = min(firstChunk, p.limit)
	}
	b, err := p.take(r.Context(), size)
	if err != nil {
		return nil, err
	}
	in := reader{w: w, r: r}
	defer in.done()
	n, ended := 0, false
	if r.ContentLength > 0 {
		n, ended, err = in.fill(b.data[:size])
		if err == nil && ended {
			err = cutBody()
		}
	} else {
		b, n, err = p.grow(b, &in)
	}
	if err == nil && n == 0 {
		err = emptyBody()
	}
	if err != nil {
		p.put(b)
		return nil, err
	}
	return pipeline.NewBody(b.data[:n:n], b.free), nil
}

// grow reads a body of unknown length, into ever larger buffers up to the limit. It gives back the buffer that is in use at the end.
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
		larger, err := p.take(in.r.Context(), min(2*int64(len(b.data)), p.limit+1))
		if err != nil {
			return b, n, err
		}
		copy(larger.data, b.data[:n])
		p.put(b)
		b = larger
	}
}

// reader reads a body under a deadline that moves on with every window of bytes.
type reader struct {
	w http.ResponseWriter
	r *http.Request
}

// fill reads until dst is full; ended says that the body ended first.
func (in *reader) fill(dst []byte) (n int, ended bool, err error) {
	control := http.NewResponseController(in.w)
	for next := 0; n < len(dst); {
		if n >= next {
			_ = control.SetReadDeadline(time.Now().Add(windowTime)) // writers without deadlines are those of tests
			next = n + window
		}
		m, err := in.r.Body.Read(dst[n:min(len(dst), next)])
		n += m
		switch {
		case err == io.EOF:
			return n, n < len(dst), nil
		case err != nil:
			return n, false, in.explain(err)
		}
	}
	return n, false, nil
}

// done takes the deadline away. Left in place, it would end the request's context while the model runs.
func (in *reader) done() { _ = http.NewResponseController(in.w).SetReadDeadline(time.Time{}) }

func (in *reader) explain(err error) error {
	var timeout net.Error
	var gone *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		in.w.Header().Set("Connection", "close")
		return fault.New(fault.Timeout, "deadline_exceeded", "the body came too slowly: at least %d KiB are expected every %d seconds", window>>10, windowTime/time.Second).Wrap(err)
	case in.r.Context().Err() != nil:
		return in.r.Context().Err()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cutBody().Wrap(err)
	case errors.As(err, &gone):
		return fault.New(fault.Canceled, "client_closed", "the client closed the connection in the middle of the body").Wrap(err)
	}
	return fault.New(fault.Invalid, "invalid_request", "the body could not be read; send it again").At("body", "unreadable").Wrap(err)
}

func cutBody() *fault.Error {
	return fault.New(fault.Invalid, "invalid_request", "the body ended before its announced end; send it again").At("body", "cut off")
}

func (p *bodyPool) tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "the body is larger than %d bytes; send less, or raise limits.body", p.limit).At("body", "too large")
}

func emptyBody() error {
	return fault.New(fault.Invalid, "invalid_request", "the body is empty; send a picture, a form with the field image, or JSON").At("body", "empty")
}
