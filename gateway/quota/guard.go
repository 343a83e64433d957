package quota

import (
	"net"
	"syscall"
)

// mostLength is the longest length that a reply may name, in digits: of an array or a text. All replies here are far shorter.
const mostLength = 4

// guarded is a connection whose replies are looked at before the client sees them: it would allocate whatever lengths they name, at any depth. It follows lines: none of the
// texts that are asked for has a line end in it, so each line that begins as a length is one.
type guarded struct {
	net.Conn
	begun  bool // a line is under way
	length int  // digits of a length; -1: the line names none
}

// guardedSocket lets the client see, before it uses an idle connection, that the other side has closed it.
type guardedSocket struct {
	*guarded
	syscall.Conn
}

// Read reads, and ends the connection at a length that no reply here can have.
func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if !g.scan(p[:n]) {
		_ = g.Close()
		return 0, errReply
	}
	return n, err
}

func (g *guarded) scan(b []byte) bool {
	for _, c := range b {
		switch {
		case c == '\n':
			g.begun = false
		case !g.begun:
			g.begun, g.length = true, -1
			if c == '*' || c == '$' {
				g.length = 0
			}
		case g.length >= 0 && c >= '0' && c <= '9':
			if g.length++; g.length > mostLength {
				return false
			}
		case c != '\r' && g.length == 0 && c != '-':
			return false
		}
	}
	return true
}
