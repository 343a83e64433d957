package h2

import (
	"context"
	"errors"
	"net"
)

// ServerCall is one call that a client makes. Receive may be used by one goroutine beside another that sends. Nothing of it may be used after the handler
// has returned.
type ServerCall struct {
	method string
	header []Field
}

// Context ends with the deadline that the client has set, when the client gives the call up or is gone, and after the handler has returned.
func (c *ServerCall) Context() context.Context { return context.Background() }

// Method is "/package.Service/Method", as the client wrote it.
func (c *ServerCall) Method() string { return c.method }

// Header is the metadata: all but what HTTP/2 and this package use up (names with ":", content-type, te, grpc-timeout). Values of "-bin" names are in base64,
// grpc-encoding and grpc-accept-encoding are among them. It is the server's, and valid until the handler returns.
func (c *ServerCall) Header() []Field { return c.header }

// Peer is the client's address.
func (c *ServerCall) Peer() net.Addr { return nil }

// Receive waits for the next message, which the caller has to release, and says whether it came compressed. The error is io.EOF after the last message,
// ctx's, the call's context's, or a *Status that the call should end with: a message that is too long, or is none.
func (c *ServerCall) Receive(ctx context.Context) (b Buffer, compressed bool, err error) {
	return nil, false, errors.ErrUnsupported
}

// Send sends one message, in pieces. The first one sends header before; later ones' is not used. It waits while the client takes no more, at most until the
// call's context ends. Nobody reads header or body after it has returned. After an error, only End is of use.
func (c *ServerCall) Send(header []Field, body [][]byte, compressed bool) error {
	return errors.ErrUnsupported
}

// End ends the call; a nil status is OK. It does not wait for the client. A second end is an error that changes nothing.
func (c *ServerCall) End(status *Status, trailer []Field) error { return errors.ErrUnsupported }

// Reply answers a unary call well: headers, one message, and the end, in one write where they fit. It is Send and End otherwise.
func (c *ServerCall) Reply(header []Field, body [][]byte, compressed bool, trailer []Field) error {
	return errors.ErrUnsupported
}
