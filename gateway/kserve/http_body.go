package kserve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"triton-gateway/internal/edge"
	"triton-gateway/internal/fault"
)

const firstChunk = 64 << 10 // of a body whose size is not known

// body reads a request's body into one buffer of a lease, after rawRoom bytes of room. The caller releases the lease.
//
// Errors: TooLarge body_too_large, by Content-Length before anything is read; Unsupported for another Content-Encoding; Timeout; Busy where there is no
// memory; Invalid for a body that is cut or does not inflate; or ctx's own.
func (h *httpSide) body(ctx context.Context, w http.ResponseWriter, r *http.Request) (l *lease, room []byte, err error) {
	compressed, err := bodyEncoding(r.Header)
	if err != nil {
		w.Header().Set("Accept-Encoding", "gzip, deflate")
		return nil, nil, err
	}
	if r.ContentLength > h.Limits.Message {
		return nil, nil, h.tooLarge()
	}
	in := &bodyReader{ctx: ctx, w: w, r: r, rate: h.Limits.Rate, pace: edge.Begin(h.Limits.Rate, time.Now()), cut: h.Cut}
	defer in.done()
	l = newLease(&h.buffers)
	size := r.ContentLength
	lent := compressed == "" && size > firstChunk && h.Promise.Lend(size)
	if lent {
		defer h.Promise.Back(size)
	}
	if compressed == "" && size >= 0 && (lent || size <= firstChunk) {
		if err = h.pay(ctx, l, size); err == nil {
			room = l.add(rawRoom + size)
			_, err = io.ReadFull(in, room[rawRoom:])
		}
	} else {
		room, err = h.grow(ctx, l, in, compressed)
		if err == nil && compressed == "" && size > int64(len(room)-rawRoom) {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		l.Release()
		return nil, nil, in.explain(err)
	}
	return l, room, nil
}

// pay takes n bytes of the memory of all bodies, until the lease ends.
func (h *httpSide) pay(ctx context.Context, l *lease, n int64) error {
	release, err := h.Bytes(ctx, n)
	if err == nil {
		l.paid = append(l.paid, release)
	}
	return err
}

// grow reads a body into ever larger buffers, up to the limit: one whose size is not known, or one that is lent nothing for what its header announces.
func (h *httpSide) grow(ctx context.Context, l *lease, in io.Reader, compressed string) ([]byte, error) {
	if err := h.pay(ctx, l, min(firstChunk, h.Limits.Message)); err != nil {
		return nil, err
	}
	if compressed != "" {
		f := h.inflaters.get(in, h.Limits.Message)
		defer h.inflaters.put(f)
		in = f
	}
	room, n := l.add(rawRoom+min(firstChunk, h.Limits.Message)), rawRoom
	for {
		if int64(n-rawRoom) > h.Limits.Message {
			return nil, h.tooLarge()
		}
		if n == len(room) {
			if err := h.pay(ctx, l, int64(n)); err != nil {
				return nil, err
			}
			room = l.swap(2*int64(n), room)
		}
		m, err := in.Read(room[n:])
		n += m
		switch {
		case errors.Is(err, io.EOF) && int64(n-rawRoom) <= h.Limits.Message:
			return room[:n], nil
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
	}
}

func (h *httpSide) tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "the body is larger than %d bytes; send less, or raise limits.body", h.Limits.Message).At("body", "too large")
}

// bodyReader reads a body under a deadline that moves on with what comes, and never beyond ctx's own.
type bodyReader struct {
	ctx  context.Context
	w    http.ResponseWriter
	r    *http.Request
	rate edge.Rate
	pace edge.Pace
	cut  *edge.Counts
}

// Read reads what is there.
func (b *bodyReader) Read(dst []byte) (int, error) {
	if b.pace.Moved() {
		until := b.pace.Until()
		if d, ok := b.ctx.Deadline(); ok && d.Before(until) {
			until = d
		}
		_ = http.NewResponseController(b.w).SetReadDeadline(until) // writers without deadlines are those of tests
	}
	n, err := b.r.Body.Read(dst)
	if err == nil && n < len(dst) {
		b.pace.Took(n, time.Now())
	}
	return n, err
}

// done takes the deadline away. Left in place, it would end the request's context while the model runs.
func (b *bodyReader) done() { _ = http.NewResponseController(b.w).SetReadDeadline(time.Time{}) }

func (b *bodyReader) explain(err error) error {
	var known *fault.Error
	var timeout net.Error
	var gone *net.OpError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		b.w.Header().Set("Connection", "close") // what is left of the body cannot be told from the next request
		if d, ok := b.ctx.Deadline(); ok && !time.Now().Before(d) {
			return fault.New(fault.Timeout, "deadline_exceeded", "the request's time was over before its body was here").Wrap(err)
		}
		b.cut.Add(edge.SlowBody)
		return edge.TooSlow(b.rate).Wrap(err)
	case b.ctx.Err() != nil:
		return b.ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.New(fault.Invalid, "invalid_request", "the body ended before its end; send it again").At("body", "cut off").Wrap(err)
	case errors.As(err, &gone):
		return fault.New(fault.Canceled, "client_closed", "the client closed the connection in the middle of the body").Wrap(err)
	}
	return fault.New(fault.Invalid, "invalid_request", "the body could not be read; send it again").At("body", "unreadable").Wrap(err)
}
