package gateway

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

// reader reads a body under a deadline that moves on with what comes.
type reader struct {
	w    http.ResponseWriter
	r    *http.Request
	pace edge.Pace
	rate edge.Rate
	cut  *edge.Counts
}

func (p *bodyPool) reader(w http.ResponseWriter, r *http.Request) reader {
	return reader{w: w, r: r, pace: edge.Begin(p.rate, time.Now()), rate: p.rate, cut: p.cut}
}

// fill reads until dst is full; ended says that the body ended first.
func (in *reader) fill(dst []byte) (n int, ended bool, err error) {
	control := http.NewResponseController(in.w)
	for n < len(dst) {
		if in.pace.Moved() {
			_ = control.SetReadDeadline(in.until()) // writers without deadlines are those of tests
		}
		m, err := in.r.Body.Read(dst[n:])
		n += m
		switch {
		case err == io.EOF:
			return n, n < len(dst), nil
		case err != nil:
			return n, false, in.explain(err)
		}
		if n < len(dst) {
			in.pace.Took(m, time.Now())
		}
	}
	return n, false, nil
}

// until is when the next bytes have to be here: the request's own deadline may come first.
func (in *reader) until() time.Time {
	end := in.pace.Until()
	if own, limited := in.r.Context().Deadline(); limited && own.Before(end) {
		return own
	}
	return end
}

// done takes the deadline away. Left in place, it would end the request's context while the model runs.
func (in *reader) done() { _ = http.NewResponseController(in.w).SetReadDeadline(time.Time{}) }

func (in *reader) explain(err error) error {
	var timeout net.Error
	var gone *net.OpError
	own, limited := in.r.Context().Deadline()
	switch {
	case errors.As(err, &timeout) && timeout.Timeout() && limited && !time.Now().Before(own):
		in.w.Header().Set("Connection", "close")
		return fault.Ended(context.DeadlineExceeded, "before the body was here")
	case errors.As(err, &timeout) && timeout.Timeout():
		in.w.Header().Set("Connection", "close")
		in.cut.Add(edge.SlowBody)
		return edge.TooSlow(in.rate).Wrap(err)
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
