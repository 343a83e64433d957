package h2

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Call makes a unary call: method is "/package.Service/Method", and body the message in pieces. It gives the message of the answer in memory that is the
// caller's, and the metadata that came after it, with that of the headers where there was no answer.
//
// The deadline of ctx goes to the server as grpc-timeout. When ctx ends, the stream is cancelled and Call returns within some 10 ms, with ctx's error wrapped. Nobody reads
// body or header after Call has returned.
//
// Other errors are a [*Status], or wrap [ErrConn], [ErrBroken] or [ErrRequest].
func (c *Conn) Call(ctx context.Context, method string, header []Field, body [][]byte) (answer []byte, trailer []Field, err error) {
	r := &request{method: method, header: header}
	r.unsentMessage, err = newMessage(body, false)
	if err == nil {
		r.list, err = c.measure(method, header)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("h2: %s: %w", method, err)
	}
	s := new(stream)
	c.look(s)
	err = c.begin(ctx, s)
	if err == nil {
		err = c.send(ctx, s, r)
		if err == nil {
			err = c.await(ctx, s)
		}
		if err != nil && c.giveUp(s) {
			err = s.err // the answer came, or the connection ended, at that moment
		}
	}
	if late(ctx, err) {
		err = context.DeadlineExceeded
	}
	var status *Status
	switch {
	case err == nil:
		return s.message, s.trailer, nil
	case errors.As(err, &status):
		return nil, s.trailer, err
	}
	return nil, nil, fmt.Errorf("h2: %s: %w", method, err)
}

// late says that the server has ended a call at its deadline, just before this side did.
func late(ctx context.Context, err error) bool {
	var reset *Reset
	at, ok := ctx.Deadline()
	return ok && errors.As(err, &reset) && reset.Code == CodeCancel && !time.Now().Before(at)
}

// errFinished ends the sending of what the server does not want any more.
var errFinished = errors.New("finished")

// await waits for the end of the stream.
func (c *Conn) await(ctx context.Context, s *stream) error {
	for {
		finished, err := c.wait(ctx, s)
		if err != nil {
			return err
		}
		if finished {
			return s.err
		}
	}
}

func unsent(why error) error { return fmt.Errorf("%w: %w", ErrConn, why) }

// request is what is still to be sent of a call.
type request struct {
	unsentMessage
	method string
	header []Field
	list   uint32 // size of the header list as HTTP/2 counts it
	begun  bool   // the headers are written
}
