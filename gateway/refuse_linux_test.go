package gateway

import (
	"net"
	"testing"
	"time"
)

// Connections whose first packet came in time are served after refuseNew; later ones are not made, and are refused once the listener is closed.
func TestRefuseNewLeavesNobodyInTheQueue(t *testing.T) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	early, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if err := refuseNew(l); err != nil {
		t.Fatal(err)
	}
	if late, err := net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond); err == nil {
		_ = late.Close()
		t.Error("a new connection was made")
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for _, pair := range [][2]net.Conn{{early, accepted}, {accepted, early}} { // the connection works in both directions
		if _, err := pair[0].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := pair[1].Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	_ = l.Close()
	if late, err := net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond); err == nil {
		_ = late.Close()
		t.Error("a closed listener took a connection")
	}
}

func TestRefuseNewWantsTCP(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := refuseNew(l); err == nil {
		t.Error("a listener without TCP was filtered")
	}
}
