package h2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// take reads the body of stream 1 and gives window as it comes: to the connection and the stream, grant bytes at a time.
func (s *script) take(id uint32, grant func() uint32) (body []byte) {
	for {
		f, part := s.next()
		if f.kind == 255 {
			return nil
		}
		if f.kind != frameData || f.id != id {
			continue
		}
		body = append(body, part...)
		if f.has(flagEndStream) {
			return body
		}
		n := grant()
		s.send(appendWindow(appendWindow(nil, 0, n), id, n))
	}
}

func finishCall(id uint32, answer string) []byte {
	return join(respond(id), message(id, answer), trailers(id, "grpc-status: 0"))
}

// TestTinyWindows has a server that takes a few bytes at a time, first none, and changes its mind about the first window.
func TestTinyWindows(t *testing.T) {
	for name, first := range map[string]uint32{"none": 0, "one": 1, "three": 3, "five": 5, "some": 1000} {
		t.Run(name, func(t *testing.T) {
			want := noise(7, 3000)
			got := make(chan []byte, 1)
			c, err := scripted(t, Options{}, settings(settingWindow, first), func(s *script) {
				s.until(frameHeaders, 0)
				s.send(settings(settingWindow, first+2)) // the stream that runs gets 2 more
				if first == 0 {
					s.send(appendWindow(nil, 1, 1))
				}
				random := rand.New(rand.NewPCG(1, 2))
				got <- s.take(1, func() uint32 { return 1 + random.Uint32N(20) })
				s.send(finishCall(1, "good"))
				s.hold()
			})
			if err != nil {
				t.Fatal(err)
			}
			answer, _, err := c.Call(t.Context(), "/a.B/C", nil, cut(want))
			if err != nil || string(answer) != "good" {
				t.Fatal(string(answer), err)
			}
			body := <-got
			if len(body) != 3005 || binary.BigEndian.Uint32(body[1:]) != 3000 || !bytes.Equal(body[5:], want) {
				t.Errorf("%d bytes came", len(body))
			}
		})
	}
}

// TestBlockedLetsOthers has one call wait for window for ever, while another goes through.
func TestBlockedLetsOthers(t *testing.T) {
	c, err := scripted(t, Options{}, settings(settingWindow, 100), func(s *script) {
		s.until(frameData, 0) // 100 bytes of the long one
		s.until(frameData, flagEndStream)
		s.send(finishCall(3, "short"))
		f, body := s.until(frameReset, 0)
		if f.id != 1 || Code(binary.BigEndian.Uint32(body)) != CodeCancel {
			s.tb.Errorf("reset %d %v", f.id, body)
		}
		s.until(frameData, flagEndStream)
		s.send(finishCall(5, "window"))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	long := make(chan error, 1)
	go func() {
		_, _, err := c.Call(ctx, "/a.B/Long", nil, [][]byte{noise(1, 1000)})
		long <- err
	}()
	for blocked := false; !blocked; {
		c.mu.Lock()
		blocked = len(c.blocked) == 1
		c.mu.Unlock()
	}
	got, _, err := c.Call(t.Context(), "/a.B/Short", nil, [][]byte{noise(1, 95)})
	if err != nil || string(got) != "short" {
		t.Error(string(got), err)
	}
	cancel()
	if err := <-long; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(1, 95)}); err != nil || string(got) != "window" {
		t.Error(string(got), err)
	}
}

// TestStreams has a server that takes one stream at a time, and then none.
func TestStreams(t *testing.T) {
	c, err := scripted(t, Options{}, settings(settingStreams, 1), func(s *script) {
		for id := uint32(1); id <= 19; id += 2 {
			if f, _ := s.until(frameData, flagEndStream); f.id != id {
				s.tb.Errorf("stream %d, want %d", f.id, id)
			}
			s.send(finishCall(id, "good"))
		}
		s.send(settings(settingStreams, 0))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
				t.Error(string(got), err)
			}
		})
	}
	all.Wait()
	for none := false; !none; {
		c.mu.Lock()
		none = c.peer.streams == 0
		c.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := c.Call(ctx, "/a.B/C", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if len(c.queue) != 0 || c.active != 0 {
		t.Errorf("%d in the queue, %d active", len(c.queue), c.active)
	}
	waiting := make(chan error, 1)
	go func() {
		_, _, err := c.Call(t.Context(), "/a.B/C", nil, nil)
		waiting <- err
	}()
	c.Close()
	if err := <-waiting; !errors.Is(err, ErrConn) || !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestAnswerBeforeEnd has a server that answers before it has heard all, and does not read on.
func TestAnswerBeforeEnd(t *testing.T) {
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		s.until(frameData, 0)
		s.send(join(respond(1), trailers(1, "grpc-status: 8", "grpc-message: too much")))
		if f, body := s.until(frameReset, 0); f.id != 1 || body[3] != byte(CodeCancel) {
			s.tb.Errorf("reset %d %v", f.id, body)
		}
		s.until(frameData, flagEndStream)
		s.send(finishCall(3, "good"))
		s.hold()
	})
	if err != nil {
		t.Fatal(err)
	}
	var status *Status
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{noise(1, 1<<20)}); !errors.As(err, &status) || status.Message != "too much" {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.peer.window = firstWindow // the script gives none back
	c.mu.Unlock()
	if got, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil || string(got) != "good" {
		t.Error(string(got), err)
	}
}
