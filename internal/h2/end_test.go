package h2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCancelAnywhere ends calls at random moments; what comes after has to be as if nothing had been. The memory of a call is overwritten as soon
// as it returns, which the race detector watches.
func TestCancelAnywhere(t *testing.T) {
	_, address := serve(t, func(ctx context.Context, _ string, in []byte) ([]byte, error) {
		for _, b := range in[1:] {
			if b != in[0] {
				return nil, errors.New("memory of a call that had ended was sent")
			}
		}
		return in, nil
	})
	c := connect(t, address, Options{})
	var all sync.WaitGroup
	var ended, done atomic.Int64
	for i := range 8 {
		all.Go(func() {
			body := make([]byte, 1+i*300_000)
			for j := range 40 {
				for k := range body {
					body[k] = byte(i + j)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*7+j*13)%40)*time.Millisecond)
				got, _, err := c.Call(ctx, "/a.B/C", nil, cut(body))
				cancel()
				switch {
				case err == nil && bytes.Equal(got, body):
					done.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					ended.Add(1)
				default:
					var status *Status // the server may see the end first
					if !errors.As(err, &status) || status.Code != 4 && status.Code != 1 {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	want := noise(3, 2_000_000)
	for i := range want {
		want[i] = 9
	}
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{want}); err != nil || !bytes.Equal(got, want) {
		t.Error(err)
	}
	if len(c.streams) != 0 || c.active != 0 || len(c.blocked) != 0 {
		t.Errorf("%d streams, %d active, %d blocked are left", len(c.streams), c.active, len(c.blocked))
	}
	t.Log(ended.Load(), "ended,", done.Load(), "done")
}

// TestCancelInWrite ends a call while the kernel takes no more of it, since the server does not read. What follows arrives whole.
func TestCancelInWrite(t *testing.T) {
	proceed := make(chan struct{})
	c, err := scripted(t, Options{}, join(settings(settingWindow, maxWindow, settingFrame, 1<<20), appendWindow(nil, 0, maxWindow-firstWindow)), func(s *script) {
		<-proceed
		f, body := s.until(frameReset, 0)
		if f.id != 1 || binary.BigEndian.Uint32(body) != uint32(CodeCancel) {
			s.tb.Errorf("%v %v", f, body)
		}
		bodies := map[uint32][]byte{}
		for f, body = s.next(); f.kind != 255; f, body = s.next() { // the call that ended soon may have been sent, too
			if f.kind == frameData {
				bodies[f.id] = append(bodies[f.id], body...)
			}
			if f.has(flagEndStream) && len(bodies[f.id]) > prefixSize {
				break
			}
		}
		if b := bodies[f.id]; len(b) < prefixSize || !bytes.Equal(b[prefixSize:], noise(2, 500_000)) {
			s.tb.Errorf("%d bytes", len(b))
		}
		s.send(finishCall(f.id, "good"))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	body, long := make([]byte, 64<<20), make(chan error, 1)
	go func() {
		_, _, err := c.Call(ctx, "/a.B/C", nil, [][]byte{body})
		long <- err
	}()
	stuck(c)
	cancel()
	if err := <-long; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	clear(body) // nobody reads it, says the race detector
	waiting := make(chan error, 1)
	go func() {
		_, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(2, 500_000)})
		waiting <- err
	}()
	ended, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, _, err := c.Call(ended, "/a.B/C", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that waits for the others to be written: %v", err)
	}
	close(proceed)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

// stuck waits until a write makes no way for a while.
func stuck(c *Conn) {
	for last, same := int64(-1), 0; same < 50; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		now := c.peer.window
		c.mu.Unlock()
		if same++; now != last || now == maxWindow || len(c.writing) == 0 {
			last, same = now, 0
		}
	}
}

// TestGoAway lets the call that runs finish, gives the later one back, and takes no new ones.
func TestGoAway(t *testing.T) {
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		s.until(frameData, flagEndStream)
		s.until(frameData, flagEndStream)
		s.send(whole(frameGoAway, 0, 0, []byte{0, 0, 0, 1, 0, 0, 0, 0}))
		s.send(finishCall(1, "good"))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, err := c.Call(t.Context(), "/a.B/C", nil, nil)
			outcome <- err
		}()
	}
	a, b := <-outcome, <-outcome
	if a == nil {
		a, b = b, a
	}
	if !errors.Is(a, ErrConn) || b != nil {
		t.Errorf("%v, %v", a, b)
	}
	<-c.Done()
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) || c.Err() == nil {
		t.Error(err)
	}
}

// TestKilled has a server that dies with calls on it.
func TestKilled(t *testing.T) {
	started := make(chan struct{}, 10)
	server, address := serve(t, func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c := connect(t, address, Options{})
	outcome := make(chan error, 10)
	for i := range 10 {
		go func() {
			_, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(i, i*10_000)})
			outcome <- err
		}()
	}
	for range 10 {
		<-started
	}
	server.Stop()
	for range 10 {
		if err := <-outcome; !errors.Is(err, ErrBroken) {
			t.Error(err)
		}
	}
	<-c.Done()
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) {
		t.Error(err)
	}
}

// TestUsedUp has no stream numbers left after one call.
func TestUsedUp(t *testing.T) {
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		f, _ := s.until(frameData, flagEndStream)
		s.send(finishCall(f.id, "good"))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.nextID = lastID
	c.mu.Unlock()
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
		t.Error(string(got), err)
	}
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) {
		t.Error(err)
	}
	<-c.Done()
}

// TestDrain ends the connection after the last call.
func TestDrain(t *testing.T) {
	started, proceed := make(chan struct{}), make(chan struct{})
	_, address := serve(t, func(context.Context, string, []byte) ([]byte, error) {
		close(started)
		<-proceed
		return []byte("good"), nil
	})
	c := connect(t, address, Options{})
	outcome := make(chan error, 1)
	go func() {
		_, _, err := c.Call(t.Context(), "/a.B/C", nil, nil)
		outcome <- err
	}()
	<-started
	c.Drain()
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) {
		t.Error(err)
	}
	close(proceed)
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	<-c.Done()
}

// TestNoServer has somebody who accepts and says nothing.
func TestNoServer(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := New(ctx, here, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
