package tritontest

import (
	"net"
	"sync"
)

// Hang makes the server stop as SIGSTOP does: the port takes connections and bytes, nothing is read or answered any more. What runs in this
// process goes on, but no answer leaves.
func (s *Server) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hung == nil {
		s.hung = make(chan struct{})
	}
}

// Unhang lets it go on, with what has come meanwhile.
func (s *Server) Unhang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hung != nil {
		close(s.hung)
		s.hung = nil
	}
}

// listenerOf knows the connections, so that they can be cut.
type listenerOf struct {
	net.Listener
	server *Server
}

func (l *listenerOf) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, server: l.server, closed: make(chan struct{})}
	l.server.mu.Lock()
	stopped := l.server.stopped
	l.server.conns[c] = true
	l.server.mu.Unlock()
	if stopped {
		c.reset()
	}
	return c, nil
}

// conn is a connection that stands still while the server hangs.
type conn struct {
	net.Conn
	server *Server
	closed chan struct{}
	once   sync.Once
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.pause()
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	c.pause()
	return c.Conn.Write(b)
}

// pause waits while the server hangs and the connection stands.
func (c *conn) pause() {
	for {
		c.server.mu.Lock()
		hung := c.server.hung
		c.server.mu.Unlock()
		if hung == nil {
			return
		}
		select {
		case <-hung:
		case <-c.closed:
			return
		}
	}
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.server.mu.Lock()
		delete(c.server.conns, c)
		c.server.mu.Unlock()
	})
	return c.Conn.Close()
}

// reset breaks it: RST instead of FIN.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
