package h2

import "net"

// serverConn is one connection of a client.
type serverConn struct {
	server *Server
	nc     net.Conn
}
