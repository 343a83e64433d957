package h2

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestNobodyCalls has a server that asks for an answer, and then ends the connection, while there is no call to see it.
func TestNobodyCalls(t *testing.T) {
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		f, _ := s.until(frameData, flagEndStream)
		s.send(finishCall(f.id, "good"))
		s.send(whole(framePing, 0, 0, []byte("12345678")))
		if f, body := s.until(framePing, flagAck); f.kind != framePing || string(body) != "12345678" {
			s.tb.Errorf("%v %q instead of the answer to a ping", f, body)
		}
		s.send(whole(frameGoAway, 0, 0, make([]byte, 8)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
		t.Fatal(string(got), err)
	}
	<-c.Done()
	if c.Err() == nil {
		t.Error("the connection has ended without a reason")
	}
}

// TestLeftMeanwhile has a server that leaves between two calls: the second must not have been sent.
func TestLeftMeanwhile(t *testing.T) {
	for name, farewell := range map[string][]byte{"closed": nil, "GOAWAY": whole(frameGoAway, 0, 0, []byte{0, 0, 0, 1, 0, 0, 0, 0})} {
		left := make(chan struct{})
		c, err := scripted(t, Options{}, settings(), func(s *script) {
			f, _ := s.until(frameData, flagEndStream)
			s.send(join(finishCall(f.id, "good"), farewell))
			s.Close()
			close(left)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
			t.Fatal(name, string(got), err)
		}
		<-left
		for held := true; held; { // by the connection's goroutine, which may have been faster than the first caller
			c.mu.Lock()
			held = c.role.held && c.err == nil
			c.mu.Unlock()
		}
		if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) || errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLeavesWithinFrame ends a call, whose caller reads, in the middle of a frame of its answer. What is left of it must not disturb the next call, and
// the first must not be ended twice.
func TestLeavesWithinFrame(t *testing.T) {
	long := message(1, string(noise(1, 100_000)))
	head := headerBlock(":status: 200", "content-type: application/grpc")
	refused := headerBlock(":status: 502")
	for name, c := range map[string]struct{ first, rest []byte }{
		"head":      {respond(1)[:5], respond(1)[5:]},
		"headers":   {whole(frameHeaders, 0, 1, head), join(whole(frameContinuation, flagEndHeaders, 1, nil), trailers(1, "grpc-status: 3"))},
		"status":    {whole(frameHeaders, 0, 1, refused), whole(frameContinuation, flagEndHeaders|flagEndStream, 1, nil)},
		"prefix":    {join(respond(1), long[:headSize+3]), join(long[headSize+3:], trailers(1, "grpc-status: 0"))},
		"message":   {join(respond(1), long[:50_000]), join(long[50_000:], trailers(1, "grpc-status: 0"))},
		"bad data":  {join(respond(1), long[:headSize+2]), join([]byte{1}, long[headSize+3:])},
		"padding":   {join(respond(1), appendFrame(nil, 20, frameData, flagPadded, 1), []byte{19, 0}), make([]byte, 18)},
		"last data": {join(respond(1), appendFrame(nil, 9, frameData, flagEndStream, 1), []byte{0, 0, 0}), make([]byte, 6)},
		"unknown":   {appendFrame(nil, 1000, 0x77, 0, 1), make([]byte, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan struct{})
			conn, err := scripted(t, Options{}, settings(), func(s *script) {
				s.until(frameData, flagEndStream)
				s.send(c.first)
				close(sent)
				if f, _ := s.until(frameReset, 0); f.id != 1 {
					s.tb.Errorf("stream %d is reset", f.id)
				}
				s.until(frameData, flagEndStream)
				s.send(join(c.rest, finishCall(3, "good")))
				if f, body := s.next(); f.kind != 255 {
					s.tb.Errorf("%v %v after the end", f, body)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-sent
				for taken := false; !taken; { // its caller reads, or sleeps where the connection's goroutine still does
					conn.mu.Lock()
					taken = conn.role.reader != nil || conn.role.first != nil
					conn.mu.Unlock()
				}
				cancel()
			}()
			if _, _, err := conn.Call(ctx, "/a.B/C", nil, nil); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if got, _, err := conn.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
				t.Fatal(string(got), err)
			}
			conn.mu.Lock()
			defer conn.mu.Unlock()
			if conn.active != 0 || len(conn.streams) != 0 {
				t.Errorf("%d active, %d streams are left", conn.active, len(conn.streams))
			}
		})
	}
}

// TestReaderLeaves has two calls of which the one whose caller reads ends: by its answer, which comes second, or by its ctx.
func TestReaderLeaves(t *testing.T) {
	for name, early := range map[string]bool{"answered": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			both, gone := make(chan struct{}), make(chan struct{})
			c, err := scripted(t, Options{}, settings(), func(s *script) {
				s.until(frameData, flagEndStream)
				s.until(frameData, flagEndStream)
				close(both)
				if early {
					<-gone
					s.send(join(finishCall(3, "second")))
				} else {
					s.send(join(finishCall(3, "second"), finishCall(1, "first")))
				}
				s.hold()
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first, second := make(chan error, 1), make(chan error, 1)
			ask := func(ctx context.Context, want string, outcome chan error) {
				got, _, err := c.Call(ctx, "/a.B/C", nil, nil)
				if err == nil && string(got) != want {
					err = errors.New("not its answer: " + string(got))
				}
				outcome <- err
			}
			go ask(ctx, "first", first)
			for reads := false; !reads; {
				c.mu.Lock()
				reads = c.role.reader != nil && c.role.reader.id == 1 || c.raw == nil || c.role.first != nil
				c.mu.Unlock()
			}
			go ask(t.Context(), "second", second)
			<-both
			if early {
				cancel()
				if err := <-first; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				c.mu.Lock()
				if c.role.first != nil && !c.role.held {
					t.Error("the second call sleeps and nobody reads")
				}
				c.mu.Unlock()
				close(gone)
			} else if err := <-first; err != nil {
				t.Error(err)
			}
			if err := <-second; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFewCallers changes all the time between one call, whose caller reads, and several, also with ends in between.
func TestFewCallers(t *testing.T) {
	_, address := serve(t, echo)
	c := connect(t, address, Options{})
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range 150 {
				want := noise(i+j, 1+random.IntN(40)*random.IntN(2)*5_000)
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(10) == 0 {
					time.AfterFunc(time.Duration(random.IntN(2_000))*time.Microsecond, cancel)
				}
				got, _, err := c.Call(ctx, "/a.B/C", nil, [][]byte{want})
				if err != nil && ctx.Err() == nil || err == nil && !bytes.Equal(got, want) {
					t.Errorf("%d bytes: %v, %d came back", len(want), err, len(got))
				}
				cancel()
			}
		})
	}
	all.Wait()
	if c.active != 0 || len(c.streams) != 0 || c.role.first != nil {
		t.Errorf("%d active, %d streams are left, or somebody sleeps", c.active, len(c.streams))
	}
}

// trickle gives at most so many bytes at a time, and is no socket.
type trickle struct {
	net.Conn
	most int
}

func (t trickle) Read(b []byte) (int, error) { return t.Conn.Read(b[:min(len(b), t.most)]) }

// TestTrickle has answers come in pieces that end anywhere.
func TestTrickle(t *testing.T) {
	_, address := serve(t, echo)
	for _, most := range []int{1, 2, 3, 5, 8, 9, 10, 14, 1000, 40_000} {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(t.Context(), trickle{nc, most}, Options{Authority: address})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 1, 300, 20_000, 20_000 + most*100} {
			want := noise(size, size)
			got, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{want})
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %d at a time: %v, %d came back", size, most, err, len(got))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, _, err := c.Call(ctx, "/a.B/C", nil, [][]byte{noise(1, 1_000_000)}); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			var status *Status
			if !errors.As(err, &status) || status.Code != 4 {
				t.Error(err)
			}
		}
		cancel()
		c.Close()
	}
}

// TestStandsAtOnce: that the server has left is seen without a call, and without waiting for the connection's goroutine.
func TestStandsAtOnce(t *testing.T) {
	left := make(chan struct{})
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		f, _ := s.until(frameData, flagEndStream)
		s.send(finishCall(f.id, "good"))
		<-left
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || !c.Stands() {
		t.Fatal(err, c.Err())
	}
	close(left)
	for deadline := time.Now().Add(2 * time.Minute); c.Stands(); {
		if time.Now().After(deadline) {
			t.Fatal("the server has left, and the connection stands")
		}
		runtime.Gosched()
	}
}
