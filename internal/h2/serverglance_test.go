package h2

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// begin is a message's prefix and as much of its content as is to be sent at first.
func begin(size int, flag byte, content []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(size)), content...)
}

// TestServerGlance has calls turned away at the beginning of their message.
func TestServerGlance(t *testing.T) {
	const size = 100_000
	var l ledger
	var seen []string // only the goroutine that leads writes; the test reads after the server has ended
	s, address := serveLean(t, ServerOptions{Buffer: l.get, CallWindow: 1 << 20, ConnWindow: 1 << 20, Glance: func(c *ServerCall, first []byte, n int) (*Status, []Field) {
		seen = append(seen, c.Method()+" "+string(first[:4]))
		if n != size || len(first) < glanceAt || len(first) >= size {
			t.Errorf("%d bytes of %d", len(first), n)
		}
		if string(first[:4]) == "full" {
			return &Status{Code: 8, Message: "come again"}, []Field{{Name: "grpc-retry-pushback-ms", Value: "3000"}}
		}
		return nil, nil
	}}, echoCall)
	client := dialRaw(t, address)

	full := append([]byte("full"), bytes.Repeat([]byte{'x'}, 2000)...)
	client.send(join(opens(1, 0), whole(frameData, 0, 1, begin(size, 0, full))))
	if got := client.tells(); !strings.Contains(got, "grpc-status=8") || !strings.Contains(got, "grpc-message=come again") || !strings.Contains(got, "grpc-retry-pushback-ms=3000") {
		t.Errorf("a call that is not wanted: %s", got)
	}
	if got := client.tells(); got != "1:NO_ERROR" { // the client need not send the rest
		t.Error(got)
	}
	client.send(whole(frameData, flagEndStream, 1, make([]byte, 16_000))) // was under way

	// In two pieces, the first too short to be looked at; the rest is taken and echoed.
	good := append([]byte("good"), bytes.Repeat([]byte{'y'}, size-4)...)
	client.send(join(opens(3, 0), whole(frameData, 0, 3, begin(size, 0, good[:100]))))
	for rest := good[100:]; len(rest) > 0; rest = rest[min(len(rest), 16_000):] {
		flags := byte(0)
		if len(rest) <= 16_000 {
			flags = flagEndStream
		}
		client.send(whole(frameData, flags, 3, rest[:min(len(rest), 16_000)]))
	}
	client.send(join(whole(frameWindow, 0, 3, []byte{0, 16, 0, 0}), whole(frameWindow, 0, 0, []byte{0, 16, 0, 0})))
	if got := client.tells(); !strings.HasSuffix(got, "grpc-status=0") {
		t.Errorf("a call that is wanted: %.200s", got)
	}

	// A compressed one says nothing at its beginning, a short one is not worth it, and the second of a call is not the first.
	client.send(join(opens(5, 0), whole(frameData, 0, 5, begin(size, 1, full))))
	client.send(join(opens(7, 0), message(7, "full")))
	client.send(join(opens(9, 0), whole(frameData, 0, 9, begin(2, 0, []byte("ok"))), whole(frameData, 0, 9, begin(size, 0, full))))
	client.send(whole(framePing, 0, 0, []byte("12345678")))
	client.until(framePing, flagAck)
	s.Close()
	if got := strings.Join(seen, ", "); strings.Count(got, "full") != 1 || strings.Count(got, "good") != 1 || len(seen) != 2 {
		t.Errorf("looked at: %s", got)
	}
	l.empty(t)
}
