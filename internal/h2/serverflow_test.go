package h2

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ledger counts the memory that is out.
type ledger struct {
	live, most atomic.Int64
}

type ledgerBuffer struct {
	data []byte
	from *ledger
	gone atomic.Bool
}

func (l *ledger) get(n int) Buffer {
	now := l.live.Add(int64(n) + 1)
	for most := l.most.Load(); now > most && !l.most.CompareAndSwap(most, now); most = l.most.Load() {
	}
	return &ledgerBuffer{data: make([]byte, n), from: l}
}

func (b *ledgerBuffer) Bytes() []byte { return b.data }

func (b *ledgerBuffer) Release() {
	if b.gone.Swap(true) {
		panic("released twice")
	}
	b.from.live.Add(-int64(len(b.data)) - 1)
	for i := range b.data {
		b.data[i] = 0xDB
	}
}

// empty checks, after the server has ended, that all memory is back.
func (l *ledger) empty(tb testing.TB) {
	if live := l.live.Load(); live != 0 {
		tb.Errorf("%d bytes are still out", live)
	}
}

// TestServerPromise has clients promise more than they send.
func TestServerPromise(t *testing.T) {
	for sent, most := range map[int]int64{100: serverEager + 1, serverEager: serverEager + 1, serverEager + 1: serverEager*5 + 2, 5 * serverEager: serverEager*20 + 2} {
		var l ledger
		s, address := serveLean(t, ServerOptions{Buffer: l.get, CallWindow: maxWindow, ConnWindow: maxWindow}, echoCall)
		client := dialRaw(t, address)
		client.send(join(opens(1, 0), whole(frameData, 0, 1, []byte{0, 127, 255, 255, 255})))
		for left := sent; left > 0; left -= min(left, frameLimit) {
			client.send(whole(frameData, 0, 1, make([]byte, min(left, frameLimit))))
		}
		client.send(whole(framePing, 0, 0, []byte("12345678")))
		client.until(framePing, flagAck)
		if got := l.most.Load(); got > most {
			t.Errorf("%d bytes for %d sent", got, sent)
		}
		s.Close()
		l.empty(t)
	}
}

// TestServerEndsWhileFilled has a handler end a call in the middle of a message that is being read.
func TestServerEndsWhileFilled(t *testing.T) {
	var l ledger
	filled := make(chan struct{})
	s, address := serveLean(t, ServerOptions{Buffer: func(n int) Buffer {
		if n == 1000 {
			close(filled)
		}
		return l.get(n)
	}}, func(c *ServerCall) { <-filled })
	client := dialRaw(t, address)
	client.send(join(opens(1, 0), message(1, "x"), appendFrame(nil, 1005, frameData, 0, 1), []byte{0, 0, 0, 3, 232}, make([]byte, 500)))
	if got := client.tells(); !strings.Contains(got, "grpc-status=13") {
		t.Error(got)
	}
	client.send(join(make([]byte, 500), whole(framePing, 0, 0, []byte("12345678"))))
	client.until(framePing, flagAck)
	s.Close()
	l.empty(t)
}

// TestServerBacklog has a client send more messages than are received.
func TestServerBacklog(t *testing.T) {
	var l ledger
	begun, release := make(chan struct{}), make(chan struct{})
	s, address := serveLean(t, ServerOptions{Buffer: l.get}, func(c *ServerCall) {
		close(begun)
		<-release
		echoCall(c)
	})
	client := dialRaw(t, address)
	client.send(whole(frameHeaders, flagEndHeaders, 1, headerBlock(":method: POST", ":scheme: http", ":path: /a.B/Stream", "content-type: application/grpc")))
	const messages = firstWindow / 6
	client.send(bytes.Repeat(message(1, "x"), messages))
	within(t, "the call", begun)
	client.send(whole(framePing, 0, 0, []byte("12345678")))
	for f, _ := client.next(); f.kind != framePing; f, _ = client.next() {
		if f.kind == frameWindow && f.id == 1 {
			t.Error("the window is filled up although nobody receives")
		}
	}
	if got := l.most.Load(); got > 2*(unread+1) {
		t.Errorf("memory for %d messages", got/2)
	}
	close(release)
	client.send(appendFrame(nil, 0, frameData, flagEndStream, 1))
	if got := client.tells(); strings.Count(got, `"\x00\x00\x00\x00\x01x"`) != messages || !strings.HasSuffix(got, "grpc-status=0") {
		t.Errorf("%d of %d messages", strings.Count(got, "x00x"), messages)
	}
	s.Close()
	l.empty(t)
}

// TestServerWindows has a client that takes little, and one that gives too much.
func TestServerWindows(t *testing.T) {
	_, address := serveLean(t, ServerOptions{ConnWindow: 2 * firstWindow}, echoCall)
	client := dialRaw(t, address, settingWindow, 0)
	client.send(ask(1, "Echo"))
	f, _ := client.until(frameHeaders, 0)
	if f.has(flagEndStream) {
		t.Error("no answer")
	}
	client.send(settings(settingWindow, 3))
	if _, b := client.until(frameData, 0); string(b) != "\x00\x00\x00" {
		t.Errorf("%q", b)
	}
	client.send(join(settings(settingWindow, 1), settings(settingWindow, 2), appendWindow(nil, 1, 2))) // 3 are used: -2, -1, 1
	if _, b := client.until(frameData, 0); string(b) != "\x00" {
		t.Errorf("%q", b)
	}
	client.send(appendWindow(nil, 1, 100))
	if got := client.tells(); got != `"\x04good" grpc-status=0` {
		t.Error(got)
	}

	for name, c := range map[string]struct {
		calls int
		want  string
	}{"call": {1, "1:FLOW_CONTROL_ERROR"}, "connection": {9, "GOAWAY:FLOW_CONTROL_ERROR"}} {
		client := dialRaw(t, address)
		for i := range c.calls {
			id := uint32(2*i + 1)
			client.send(join(whole(frameHeaders, flagEndHeaders, id, headerBlock(":method: POST", ":scheme: http", ":path: /a.B/Hang", "content-type: application/grpc")), message(id, "x")))
		}
		if c.calls > 1 { // a frame longer than the whole window
			client.send(appendFrame(nil, 2*firstWindow+1, frameData, 0, 1))
		} else {
			client.send(whole(frameData, 0, 1, make([]byte, firstWindow-5)))
		}
		if got := client.tells(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestServerTable has a client take the table of headers away, and small frames of large headers back.
func TestServerTable(t *testing.T) {
	_, address := serveLean(t, ServerOptions{MaxHeaders: 1 << 16}, echoCall)
	client := dialRaw(t, address, settingTable, 0)
	client.decoder.SetMaxDynamicTableSize(0)
	client.decoder.SetAllowedMaxDynamicTableSize(0)
	for id := range uint32(3) {
		client.send(ask(2*id+1, "Echo"))
		if got := client.tells(); got != wellAnswered {
			t.Error(got)
		}
	}
	client.send(join(opens(9, 0, "x-long: "+strings.Repeat("y", 20_000)), message(9, "x")))
	f, _ := client.until(frameHeaders, 0)
	next, _ := client.next()
	if f.has(flagEndHeaders) || next.kind != frameContinuation || !next.has(flagEndHeaders) {
		t.Error(f, next)
	}
}

// TestServerNotRead has a client that does not read: a Send ends with its call, and the connection after Stall.
func TestServerNotRead(t *testing.T) {
	sent := make(chan error, 1)
	_, address := serveLean(t, ServerOptions{Stall: 500 * time.Millisecond}, func(c *ServerCall) {
		sent <- c.Send(nil, [][]byte{make([]byte, 64<<20)}, false)
		_ = c.End(&Status{Code: 4, Message: "late"}, nil)
	})
	client := dialRaw(t, address, settingWindow, maxWindow)
	client.send(join(appendWindow(nil, 0, maxWindow-firstWindow), opens(1, flagEndStream, "grpc-timeout: 50m")))
	if err := <-sent; err != context.DeadlineExceeded {
		t.Error(err)
	}
	client = dialRaw(t, address, settingWindow, maxWindow)
	client.send(join(appendWindow(nil, 0, maxWindow-firstWindow), opens(1, flagEndStream)))
	if err := <-sent; err == nil || !strings.Contains(err.Error(), "the client is lost") {
		t.Error(err)
	}
}

// TestServerInterrupted has a Send cut off in the middle of a frame; what follows is still in order.
func TestServerInterrupted(t *testing.T) {
	sent := make(chan error, 1)
	_, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		if c.Method() != "/a.B/Large" {
			echoCall(c)
			return
		}
		sent <- c.Send(nil, [][]byte{make([]byte, 64<<20)}, false)
		_ = c.End(&Status{Code: 4, Message: "late"}, nil)
	})
	client := dialRaw(t, address, settingWindow, maxWindow)
	large := headerBlock(":method: POST", ":scheme: http", ":path: /a.B/Large", "content-type: application/grpc", "grpc-timeout: 50m")
	client.send(join(appendWindow(nil, 0, maxWindow-firstWindow), whole(frameHeaders, flagEndHeaders|flagEndStream, 1, large)))
	if err := <-sent; err != context.DeadlineExceeded {
		t.Error(err)
	}
	client.send(ask(3, "Echo"))
	answers := map[uint32]string{}
	for len(answers) < 2 {
		f, body := client.next()
		switch {
		case f.kind == 255:
			t.Fatal("the connection ended")
		case f.kind == frameHeaders:
			list, err := client.decoder.DecodeFull(body)
			if err != nil {
				t.Fatal(err)
			}
			if f.has(flagEndStream) {
				answers[f.id] = fmt.Sprint(list[0].Name, list[0].Value)
			}
		}
	}
	if answers[1] != "grpc-status4" || answers[3] != "grpc-status0" {
		t.Error(answers)
	}
}

// TestServerRapidReset opens calls and gives them up at once.
func TestServerRapidReset(t *testing.T) {
	var running, most atomic.Int64
	_, address := serveLean(t, ServerOptions{Streams: 10}, func(c *ServerCall) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		<-c.Context().Done()
		time.Sleep(time.Millisecond) // a handler that takes its time to see it
	})
	client := dialRaw(t, address)
	var all bytes.Buffer
	for i := range uint32(floodLimit) {
		all.Write(join(ask(2*i+1, "Echo"), appendReset(nil, 2*i+1, CodeCancel)))
	}
	go client.send(all.Bytes())
	var got string
	for !strings.Contains(got, "GOAWAY") && !strings.Contains(got, "EOF") {
		got = client.tells()
	}
	if !strings.Contains(got, "ENHANCE_YOUR_CALM") {
		t.Error(got)
	}
	if most.Load() > 10 {
		t.Errorf("%d handlers at a time", most.Load())
	}
}

// TestServerPings has a client ping too often, and one that is allowed to.
func TestServerPings(t *testing.T) {
	_, address := serveLean(t, ServerOptions{Pings: time.Hour}, echoCall)
	ping := whole(framePing, 0, 0, []byte("12345678"))
	client := dialRaw(t, address)
	client.send(bytes.Repeat(ping, 5))
	if got := client.tells(); got != "GOAWAY:ENHANCE_YOUR_CALM too_many_pings" {
		t.Error(got)
	}
	client = dialRaw(t, address)
	for i := range uint32(10) {
		client.send(join(ask(2*i+1, "Echo")))
		if got := client.tells(); got != wellAnswered {
			t.Fatal(got)
		}
		client.send(ping)
		if f, body := client.until(framePing, flagAck); f.kind != framePing || string(body) != "12345678" {
			t.Fatal(f)
		}
	}
}

// TestServerFarewell reads what a server says that shuts down.
func TestServerFarewell(t *testing.T) {
	release := make(chan struct{})
	s, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		<-release
		echoCall(c)
	})
	client := dialRaw(t, address)
	client.send(ask(1, "Echo"))
	client.until(frameSettings, flagAck)
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if _, b := client.until(frameGoAway, 0); binary.BigEndian.Uint32(b) != lastID {
		t.Error(b)
	}
	_, b := client.until(framePing, 0)
	client.send(join(ask(3, "Echo"), whole(framePing, flagAck, 0, b))) // 3 was on its way
	if _, b := client.until(frameGoAway, 0); binary.BigEndian.Uint32(b) != 3 {
		t.Error(b)
	}
	client.send(ask(5, "Echo"))
	close(release)
	for range 2 {
		if got := client.tells(); got != wellAnswered {
			t.Error(got)
		}
	}
	if f, _ := client.next(); f.kind != 255 {
		t.Error(f)
	}
	_ = client.Close()
	all.Wait()
}

// TestServerOverlap has a second call come while the handler of the first runs in the goroutine that reads.
func TestServerOverlap(t *testing.T) {
	second := make(chan struct{})
	_, address := serveLean(t, ServerOptions{}, func(c *ServerCall) {
		if c.Method() == "/a.B/Wait" {
			<-second
		} else {
			close(second)
		}
		echoCall(c)
	})
	client := dialRaw(t, address)
	client.send(ask(1, "Wait"))
	client.until(frameSettings, flagAck)
	client.send(ask(3, "Echo"))
	for range 2 {
		if got := client.tells(); got != wellAnswered {
			t.Error(got)
		}
	}
}
