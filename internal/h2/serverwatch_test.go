package h2

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/edge"
)

// cuts counts what a server cuts off.
type cuts struct{ edge.Counts }

func (c *cuts) only(t *testing.T, r edge.Reason, n uint64) {
	t.Helper()
	c.Each(func(other edge.Reason, got uint64) {
		if want := n * uint64(boolean(other == r)); got != want {
			t.Errorf("%v: %d, want %d", other, got, want)
		}
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestServerEndsSlowCalls(t *testing.T) {
	t.Parallel()
	var c cuts
	_, address := serveLean(t, ServerOptions{Rate: 1 << 30, Cut: c.Add}, echoCall)
	client := dialRaw(t, address)
	client.send(join(opens(1, 0), whole(frameData, 0, 1, []byte{0, 0, 0, 0, 9, 1})))
	if got, want := client.tells(), ":status=200 grpc-status=4 grpc-message=h2: the message came too slowly"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	client.send(ask(3, "Echo"))
	if got := client.tells(); got != "1:NO_ERROR" {
		t.Errorf("then %s", got)
	}
	if got := client.tells(); got != wellAnswered {
		t.Errorf("then %s", got)
	}
	c.only(t, edge.SlowBody, 1)
}

// Between the messages of a stream there may be any time, in the middle of one there may not.
func TestServerEndsAStreamInTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	var c cuts
	_, address := serveLean(t, ServerOptions{Rate: 1 << 30, Cut: c.Add, Early: func(string) bool { return true }}, func(call *ServerCall) {
		for {
			b, _, err := call.Receive(call.Context())
			if err != nil {
				status, _ := err.(*Status)
				_ = call.End(status, nil)
				return
			}
			b.Release()
		}
	})
	quiet, slow := dialRaw(t, address), dialRaw(t, address)
	quiet.send(join(opens(1, 0), message(1, "one")))
	slow.send(join(opens(1, 0), message(1, "one"), whole(frameData, 0, 1, []byte{0, 0, 0, 0, 9, 1})))
	if got := slow.tells(); !strings.Contains(got, "too slowly") {
		t.Error(got)
	}
	quiet.send(appendFrame(nil, 0, frameData, flagEndStream, 1))
	if got := quiet.tells(); strings.Contains(got, "too slowly") {
		t.Error(got)
	}
	c.only(t, edge.SlowBody, 1)
}

func TestServerEndsCallsWhoseAnswerIsNotTaken(t *testing.T) {
	t.Parallel()
	var c cuts
	ended := make(chan error, 1)
	_, address := serveLean(t, ServerOptions{Rate: 1 << 30, Cut: c.Add}, func(call *ServerCall) {
		ended <- call.Reply(nil, [][]byte{make([]byte, 1<<20)}, false, nil)
	})
	client := dialRaw(t, address, settingWindow, 10) // and no more
	client.send(ask(1, "Echo"))
	if got := client.tells(); !strings.HasSuffix(got, "1:CANCEL") {
		t.Error(got)
	}
	if err := <-ended; err == nil {
		t.Error("the handler is told that all is well")
	}
	c.only(t, edge.SlowReader, 1)
}

func TestServerSendsResettersAway(t *testing.T) {
	t.Parallel()
	var c cuts
	_, address := serveLean(t, ServerOptions{Streams: 10, Cut: c.Add}, echoCall)
	client := dialRaw(t, address)
	var flood bytes.Buffer
	for id := uint32(1); id < 100; id += 2 {
		flood.Write(opens(id, 0))
		flood.Write(appendReset(nil, id, CodeCancel))
	}
	client.send(flood.Bytes())
	if got := client.tells(); !strings.Contains(got, "GOAWAY:ENHANCE_YOUR_CALM") || !strings.Contains(got, manyResets) {
		t.Error(got)
	}
	c.only(t, edge.Resets, 1)
	// Who gives less than half of his calls up may go on.
	client = dialRaw(t, address)
	for id := uint32(1); id < 200; id += 6 {
		client.send(join(opens(id, 0), appendReset(nil, id, CodeCancel), ask(id+2, "Echo")))
		if got := client.tells(); got != wellAnswered {
			t.Fatalf("call %d: %s", id, got)
		}
		client.send(ask(id+4, "Echo"))
		if got := client.tells(); got != wellAnswered {
			t.Fatalf("call %d: %s", id, got)
		}
	}
}

func TestServerSendsIdleConnectionsAway(t *testing.T) {
	t.Parallel()
	var c cuts
	_, address := serveLean(t, ServerOptions{Idle: 100 * time.Millisecond, Cut: c.Add}, echoCall)
	client := dialRaw(t, address)
	if got := client.tells(); !strings.HasPrefix(got, "GOAWAY:NO_ERROR") {
		t.Error(got)
	}
	c.only(t, edge.Idle, 1)
}

// What comes at one time is bounded, and half of that is for what has come.
func TestServerBoundsWhatComes(t *testing.T) {
	t.Parallel()
	var l ledger
	s, address := serveLean(t, ServerOptions{Memory: 3 << 20, Buffer: l.get, CallWindow: maxWindow, ConnWindow: maxWindow}, echoCall)
	client := dialRaw(t, address)
	for id := uint32(1); id < 100; id += 2 { // fifty promises of a megabyte
		client.send(join(opens(id, 0), whole(frameData, 0, id, []byte{0, 0, 16, 0, 0})))
	}
	client.send(whole(framePing, 0, 0, []byte("12345678")))
	client.until(framePing, flagAck)
	if live := l.live.Load(); live > 1<<20+50*(modest+1) {
		t.Errorf("%d bytes are lent for promises", live)
	}
	body := make([]byte, 1<<20)
	for id := uint32(3); id < 100; id += 2 {
		client.send(whole(frameData, 0, id, body[:900_000]))
	}
	if got := client.tells(); !strings.Contains(got, "grpc-status=8") || !strings.Contains(got, "come again in a second") {
		t.Error(got)
	}
	if most := l.most.Load(); most > 2*3<<20 {
		t.Errorf("%d bytes were out", most)
	}
	s.Close()
	l.empty(t)
	if n := s.options.coming.Load(); n != 0 {
		t.Errorf("%d bytes are counted for ever", n)
	}
}

// A connection reads into little until it makes a call.
func TestServerBufferGrows(t *testing.T) {
	s := source{buf: []byte("0123456789"), i: 3, n: 8}
	s.grow(20)
	if got, err := s.take(5); err != nil || string(got) != "34567" || len(s.buf) != 20 {
		t.Errorf("%q, %v", got, err)
	}
	s.grow(5)
	if len(s.buf) != 20 {
		t.Error("it shrinks")
	}
	var n atomic.Int32
	_, address := serveLean(t, ServerOptions{}, func(c *ServerCall) { n.Add(1); echoCall(c) })
	long := strings.Repeat("x", 12<<10) // headers longer than the first buffer
	client := dialRaw(t, address)
	client.send(opens(1, flagEndStream, "x-a: "+long))
	if got := client.tells(); !strings.HasSuffix(got, "grpc-status=0") || n.Load() != 1 {
		t.Errorf("%.200s", got)
	}
}
