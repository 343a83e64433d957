package h2

import (
	"crypto/tls"
	"net"
)

// Head is what a call's headers say.
type Head struct {
	Method string  // "/package.Service/Method", as the client wrote it
	Header []Field // as ServerCall.Header
	// TLS is the state of the connection; nil where it is not encrypted.
	TLS func() *tls.ConnectionState
}

// letIn asks the server's owner whether a call may begin.
func (c *serverConn) letIn(h *requestHead) (refused *Status) {
	if c.options.Admit == nil {
		return nil
	}
	h.under, h.soon, refused = c.options.Admit(Head{Method: h.path, Header: h.rest, TLS: c.encryption})
	return refused
}

// TLS is the state of the connection; nil where it is not encrypted.
func (c *ServerCall) TLS() *tls.ConnectionState { return c.conn.encryption() }

// encryption is the state of the connection's TLS, whose handshake is over when there are calls; nil where there is none.
func (c *serverConn) encryption() *tls.ConnectionState {
	for nc := c.nc; nc != nil; {
		if t, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
			s := t.ConnectionState()
			return &s
		}
		w, ok := nc.(interface{ Unwrap() net.Conn })
		if !ok {
			return nil
		}
		nc = w.Unwrap()
	}
	return nil
}
