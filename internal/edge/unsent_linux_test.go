package edge

import (
	"net"
	"testing"
	"time"
)

// What is written to a client that does not read waits in the server, not in the kernel.
func TestLittleWaitsUnsent(t *testing.T) {
	written := func(bounded bool) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_ = client.(*net.TCPConn).SetReadBuffer(4096)
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if bounded {
			boundUnsent(server)
		}
		_ = server.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := server.Write(make([]byte, 64<<20))
		if err == nil {
			t.Fatal("64 MiB were taken by a client that does not read")
		}
		return n
	}
	with, without := written(true), written(false)
	t.Logf("%d bytes with the bound, %d without", with, without)
	if with > 4*mostUnsent || without < 2*with {
		t.Errorf("%d bytes with the bound of %d, %d without", with, mostUnsent, without)
	}
}
