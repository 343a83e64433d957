package triton

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/h2"
)

var errNobody = errors.New("nobody is there")

// dialing is a link whose attempts end as a test says.
type dialing struct {
	*link
	begun chan struct{}
	end   chan error
}

func newDialing(t *testing.T) *dialing {
	d := &dialing{begun: make(chan struct{}, 100), end: make(chan error, 100)}
	d.link = newLink(func(ctx context.Context) (*h2.Conn, error) {
		d.begun <- struct{}{}
		select {
		case err := <-d.end:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	t.Cleanup(d.close)
	return d
}

func TestCallersShareAnAttempt(t *testing.T) {
	d := newDialing(t)
	var wait sync.WaitGroup
	for range 10 {
		first := d.try()
		wait.Go(func() {
			if conn, err := d.get(t.Context(), time.Hour); conn != nil || !errors.Is(err, h2.ErrConn) || !strings.Contains(err.Error(), errNobody.Error()) {
				t.Errorf("got %v, %v", conn, err)
			}
		})
		if d.try() != first {
			t.Fatal("a second attempt at the same time")
		}
	}
	<-d.begun
	for range 10 { // also those who come late are told of one attempt
		d.end <- errNobody
	}
	wait.Wait()
	if !d.down() || d.stands() {
		t.Error("nobody is there, and it looks as if somebody was")
	}
}

// TestWaitingForAnAttempt: for the first as long as the caller may; for others as long as is configured.
func TestWaitingForAnAttempt(t *testing.T) {
	d := newDialing(t)
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-d.begun; leave() }()
	if _, err := d.get(ctx, 0); err == nil || ctx.Err() == nil {
		t.Errorf("the first attempt was not waited for: %v", err)
	}
	d.end <- errNobody
	if _, err := d.get(t.Context(), 0); !strings.Contains(err.Error(), errNobody.Error()) {
		t.Errorf("got %v", err) // the same attempt
	}
	var all error
	until(t, "a wait ends", time.Minute, func() bool {
		_, all = d.get(t.Context(), time.Millisecond)
		return strings.Contains(all.Error(), errDialing.Error())
	})
	if errors.Is(all, context.DeadlineExceeded) {
		t.Error("it looks like the caller's own end")
	}
}

func TestAClosedLink(t *testing.T) {
	d := newDialing(t)
	got := make(chan error, 1)
	go func() { _, err := d.get(t.Context(), time.Hour); got <- err }()
	<-d.begun
	d.close()
	if err := <-got; err == nil {
		t.Error("a connection after the end")
	}
	if _, err := d.get(t.Context(), time.Hour); err == nil || len(d.begun) != 0 {
		t.Errorf("dialed after the end: %v", err)
	}
}

// TestDialsTellOfAnotherServer: a look has to know of a lost connection once, and not of the link's first.
func TestDialsTellOfAnotherServer(t *testing.T) {
	e := &endpoint{}
	e.dials.Store(1)
	for i, want := range []uint64{1, 2, 3} {
		if e.connected(); e.dials.Load() != want {
			t.Errorf("connection %d: %d dials, want %d", i+1, e.dials.Load(), want)
		}
	}
	e.dials.Add(1) // a look has had to connect, and has told
	if e.connected(); e.dials.Load() != 4 {
		t.Errorf("%d dials: a loss was told twice", e.dials.Load())
	}
	if e.connected(); e.dials.Load() != 5 {
		t.Errorf("%d dials: the next loss was not told", e.dials.Load())
	}
}

func TestTheLinksFirstConnectionIsNoNewServer(t *testing.T) {
	s, at := fake(t), newClock()
	c := gatewayOf(t, s, nil, at)
	first := epochOf(t, c, at)
	infers(t, c, 1)
	same(t, "after the first call", epochOf(t, c, at), first)
	c.list()[0].link.conn.Load().Close()
	infers(t, c, 1)
	if second := epochOf(t, c, at); second == first {
		t.Error("calls were counted over a lost connection, and the epoch stays")
	} else {
		same(t, "after that", epochOf(t, c, at), second)
	}
}

func TestARefusedCallCostsOneAttempt(t *testing.T) {
	s := fake(t)
	s.Kill()
	c := client(t, Config{Endpoints: []string{s.Addr()}, Reconnect: time.Hour}, Deps{})
	for range 3 {
		_, err := c.Infer(t.Context(), requestOf("m", 1))
		wantFault(t, err, fault.Unavailable, "backend_unavailable")
		if !errors.Is(err, h2.ErrConn) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("the log does not have the cause: %v", err)
		}
	}
	if e := c.Endpoints()[0]; e.Ready || e.Calls != 0 || e.Reason != noConnection {
		t.Errorf("got %+v", e)
	}
	s.Start()
	must(t, c, requestOf("m", 1))
	if e := c.Endpoints()[0]; !e.Ready || e.Calls != 1 {
		t.Errorf("got %+v", e)
	}
}

// TestAServerThatSaysNothing takes connections, as one that hangs, or that speaks another protocol.
func TestAServerThatSaysNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := clientOf(t, listener.Addr().String())
	ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	_, err = c.Infer(ctx, requestOf("m", 1))
	wantFault(t, err, fault.Timeout, "deadline_exceeded")
	if e := c.Endpoints()[0]; e.Running != 0 || e.Calls != 0 {
		t.Errorf("got %+v", e)
	}
}

func TestTLSWithoutHTTP2(t *testing.T) {
	certificate, roots := certificates(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			_ = nc.(*tls.Conn).Handshake()
			_ = nc.Close()
		}
	}()
	c := client(t, Config{Endpoints: []string{"grpcs://" + listener.Addr().String()}, TLS: &tls.Config{RootCAs: roots}}, Deps{})
	_, err = c.Infer(t.Context(), requestOf("m", 1))
	wantFault(t, err, fault.Unavailable, "backend_unavailable")
	if !strings.Contains(err.Error(), "TLS") {
		t.Errorf("the log does not have the cause: %v", err)
	}
}

// stalling forwards connections to a server, until one of them stands still.
type stalling struct {
	net.Listener
	to     string
	count  atomic.Int64
	number atomic.Int64 // of the connection that stands still
}

func newStalling(t *testing.T, to string) *stalling {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &stalling{Listener: listener, to: to}
	var wait sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wait.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			number := p.count.Add(1)
			context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
			wait.Go(func() { p.copy(ctx, out, in, number) })
			wait.Go(func() { p.copy(ctx, in, out, number) })
		}
	})
	t.Cleanup(func() { stop(); _ = listener.Close(); wait.Wait() })
	return p
}

func (p *stalling) copy(ctx context.Context, to, from net.Conn, number int64) {
	defer to.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if p.number.Load() == number {
			<-ctx.Done()
		}
		if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
			return
		}
	}
}

// TestAConnectionThatStandsStill: of a server that is well otherwise. It gets no calls for a moment, and comes back over another connection.
func TestAConnectionThatStandsStill(t *testing.T) {
	a, b := fake(t), fake(t)
	p := newStalling(t, a.Addr())
	c := clientOf(t, p.Addr().String(), b.Addr())
	statusOf(t, c, "m") // its connection is the first
	const callers = 4
	f := underLoad(t, c, "m", callers, 20*time.Second)
	f.more(t, 200)
	if n := p.count.Load(); n != 2 {
		t.Fatalf("%d connections, want one for looks and one for calls", n)
	}
	p.number.Store(2)
	until(t, "it is taken out of service", time.Minute, func() bool { return c.Endpoints()[0].Ejected != 0 }) // it may be back by the next look at it
	serves(t, c, 0, true)
	served := a.Calls("m")
	until(t, "it gets calls again", time.Minute, func() bool { return a.Calls("m") > served })
	f.stop()
	if f.errors.Load() > callers { // what was under way there finds no place elsewhere if the other server is at its limit
		t.Errorf("%d of %d calls failed; the last: %v", f.errors.Load(), f.calls.Load(), f.last.Load())
	}
	if c.Endpoints()[0].Ejected != 1 {
		t.Errorf("got %+v", c.Endpoints()[0])
	}
}
