package kserve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"triton-gateway/internal/fault"
)

const (
	// bodyWindow bytes have to arrive within bodyTime, or the upload is given up: a slow caller holds memory that others need.
	bodyWindow = 256 << 10
	bodyTime   = 16 * time.Second
	firstChunk = 64 << 10 // of a body whose size is not known
)

// body reads a request's body into one buffer of a lease, after rawRoom bytes of room. The caller releases the lease.
//
// Errors: TooLarge body_too_large, by Content-Length before anything is read; Unsupported for another Content-Encoding; Timeout; Invalid for a
// body that is cut or does not inflate; or ctx's own.
func (h *httpSide) body(ctx context.Context, w http.ResponseWriter, r *http.Request) (l *lease, room []byte, err error) {
	compressed, err := bodyEncoding(r.Header)
	if err != nil {
		w.Header().Set("Accept-Encoding", "gzip, deflate")
		return nil, nil, err
	}
	if r.ContentLength > h.Limits.Message {
		return nil, nil, h.tooLarge()
	}
	in := &bodyReader{ctx: ctx, w: w, r: r}
	defer in.done()
	l = newLease(&h.buffers)
	if compressed == "" && r.ContentLength >= 0 {
		room = l.add(rawRoom + r.ContentLength)
		_, err = io.ReadFull(in, room[rawRoom:])
	} else {
		room, err = h.grow(l, in, compressed)
	}
	if err != nil {
		l.Release()
		return nil, nil, in.explain(err)
	}
	return l, room, nil
}

// grow reads a body whose size is not known, into ever larger buffers up to the limit.
func (h *httpSide) grow(l *lease, in io.Reader, compressed string) ([]byte, error) {
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

// bodyReader reads a body under a deadline that moves on with every window of bytes, and never beyond ctx's own.
type bodyReader struct {
	ctx  context.Context
	w    http.ResponseWriter
	r    *http.Request
	n    int64
	next int64 // where the deadline moves
}

// Read reads at most up to the next window.
func (b *bodyReader) Read(dst []byte) (int, error) {
	if b.n >= b.next {
		until := time.Now().Add(bodyTime)
		if d, ok := b.ctx.Deadline(); ok && d.Before(until) {
			until = d
		}
		_ = http.NewResponseController(b.w).SetReadDeadline(until) // writers without deadlines are those of tests
		b.next += bodyWindow
	}
	n, err := b.r.Body.Read(dst[:min(int64(len(dst)), b.next-b.n)])
	b.n += int64(n)
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
		return fault.New(fault.Timeout, "deadline_exceeded", "the body came too slowly: at least %d KiB are expected every %d seconds, and all of it before the request's time is over",
			bodyWindow>>10, bodyTime/time.Second).Wrap(err)
	case b.ctx.Err() != nil:
		return b.ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.New(fault.Invalid, "invalid_request", "the body ended before its end; send it again").At("body", "cut off").Wrap(err)
	case errors.As(err, &gone):
		return fault.New(fault.Canceled, "client_closed", "the client closed the connection in the middle of the body").Wrap(err)
	}
	return fault.New(fault.Invalid, "invalid_request", "the body could not be read; send it again").At("body", "unreadable").Wrap(err)
}
