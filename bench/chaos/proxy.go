package chaos

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// chunk is how many bytes are handed on at a time.
const chunk = 32 << 10

// proxy stands between the gateway and a server, and hands bytes on as they are until it is told otherwise.
type proxy struct {
	listener net.Listener
	to       string       // host:port
	delay    atomic.Int64 // of all that the server says, in nanoseconds
	rubbish  atomic.Bool  // is said instead of what the server says
	mu       sync.Mutex   // guards conns
	conns    map[net.Conn]bool
	all      sync.WaitGroup
}

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
	return p, nil
}

func (p *proxy) port() string {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return port
}

// cut breaks all connections; new ones are taken.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// keep notes a connection until it is let go, so that cut finds it.
func (p *proxy) keep(c net.Conn) (letGo func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return func() {
		_ = c.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.cut()
	p.all.Wait()
}

func (p *proxy) serve(client net.Conn) {
	defer p.keep(client)()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return // a port on which nobody listens refuses; behind a proxy it is a connection that ends at once
	}
	defer p.keep(server)()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		defer server.Close()
		copyBytes(server, client)
	}()
	p.answer(client, server)
	_ = client.Close()
	<-asked
}

func copyBytes(to, from net.Conn) {
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// late are bytes of a server, and when they are handed on.
type late struct {
	bytes []byte
	due   time.Time
}

// answer hands on what the server says, each byte later by the delay, or rubbish of the same length.
func (p *proxy) answer(client, server net.Conn) {
	queue := make(chan late, 1024)
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer server.Close() // ends the reading below
		for l := range queue {
			if wait := time.Until(l.due); wait > 0 {
				time.Sleep(wait)
			}
			if _, err := client.Write(l.bytes); err != nil {
				break
			}
		}
		for range queue { // the reader is not held up
		}
	}()
	buffer := make([]byte, chunk)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			said := make([]byte, n)
			copy(said, buffer[:n])
			if p.rubbish.Load() {
				fillRubbish(said)
			}
			queue <- late{said, time.Now().Add(time.Duration(p.delay.Load()))}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	<-written
}

func fillRubbish(b []byte) {
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
}
