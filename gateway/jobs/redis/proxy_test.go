package redis

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"triton-gateway/internal/parts"
)

// proxy stands between a store and its Redis and loses answers: Redis has done what it was asked, and nobody hears of it.
type proxy struct {
	listener net.Listener
	target   string
	lose     atomic.Int32 // how many answers are lost next, with their connections
	lost     atomic.Int32
	silent   sync.RWMutex // locked: what a store says is kept, and goes on when it is unlocked
	mu       sync.Mutex
	conns    []net.Conn
	all      sync.WaitGroup
}

func newProxy(tb testing.TB, server *parts.RedisServer) *proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", parts.FreeAddr(tb))
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{target: server.Addr}
	p.accept(listener)
	tb.Cleanup(func() {
		p.cut()
		p.all.Wait()
	})
	return p
}

func (p *proxy) accept(listener net.Listener) {
	p.listener = listener
	p.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
}

// cut ends all connections and takes no more; mend takes them again, at the same address.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) mend(tb testing.TB) {
	tb.Helper()
	listener, err := net.Listen("tcp", p.listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	p.accept(listener)
}

// through is a server's URL with the proxy's address in it.
func (p *proxy) through(tb testing.TB, server *parts.RedisServer) string {
	tb.Helper()
	if _, err := url.Parse(server.URL()); err != nil {
		tb.Fatal(err)
	}
	return strings.Replace(server.URL(), server.Addr, p.listener.Addr().String(), 1)
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	p.mu.Unlock()
	p.all.Go(func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if p.lose.Add(-1) >= 0 {
				p.lost.Add(1)
				_, _ = client.Write(buf[:n/2]) // half of it: the rest must not be taken for the next answer
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		p.silent.RLock()
		_, err = server.Write(buf[:n])
		p.silent.RUnlock()
		if err != nil {
			return
		}
	}
}
