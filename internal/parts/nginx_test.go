package parts

import (
	"net"
	"strings"
	"testing"
)

// What comes out of nginx at the other end is HTTP/2: the client's preface of one connection, by RFC 9113 section 3.4.
func TestNginxPassesOnOverHTTP2(t *testing.T) {
	listener, err := net.Listen("tcp", FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, address := Nginx(t, listener.Addr().String())
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The preface, empty settings, and HEADERS with END_STREAM and END_HEADERS of four fields by HPACK's static table: POST, http, /, an authority.
	hello := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x06\x01\x05\x00\x00\x00\x01" + "\x83\x86\x84\x41\x01a"
	if _, err := conn.Write([]byte(hello)); err != nil {
		t.Fatal(err)
	}
	upstream, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	got := make([]byte, 24)
	if n, err := upstream.Read(got); err != nil || !strings.HasPrefix(string(got[:n]), "PRI * HTTP/2.0") {
		t.Errorf("nginx sent %q, %v", got[:n], err)
	}
}

func TestNobodyListens(t *testing.T) {
	process := Start(t, Command{Path: "/bin/sleep", Args: []string{"0.2"}}) // it has to live when Start looks
	if err := listening(FreeAddr(t), process); err == nil || !strings.Contains(err.Error(), "ended before it listened") {
		t.Errorf("got %v", err)
	}
}
