// Package hostile attacks a gateway as clients on the internet do - slowly, by the thousand, and with frames of HTTP/2 that serve nothing - beside one client that
// means well. It exists because what limits are worth shows in that client's times alone.
//
// The attackers are paced so that they do not take the processors from the gateway: each of them writes a few bytes, or a few frames, once in a beat, and who
// is cut off comes again after a rest.
package hostile

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/pause"
)

// Kind is one way to attack.
type Kind struct {
	Name  string
	HTTP2 bool          // it speaks to the gRPC listener
	Beat  time.Duration // between two writes of one attacker
	Hello []byte        // the first write
	Drip  []byte        // the others
	Deaf  bool          // it does not read
	Lives time.Duration // how long one may last until it has to be cut off; 0: it may stay
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// opened is HEADERS of a ModelInfer on a stream whose number is put in by place; RFC 7541's literals, without a table.
func opened(flags byte) []byte {
	path, content := "/inference.GRPCInferenceService/ModelInfer", "application/grpc"
	block := append([]byte{0x83, 0x86, 0x04, byte(len(path))}, path...)
	block = append(append(block, 0x0f, 0x10, byte(len(content))), content...)
	return append([]byte{0, 0, byte(len(block)), 1, flags, 0, 0, 0, 0}, block...)
}

func frame(kind, flags byte, id uint32, body ...byte) []byte {
	return append([]byte{0, 0, byte(len(body)), kind, flags, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}, body...)
}

// reset makes n calls and gives them up; the first stream has the number id.
func reset(id uint32, n int) (out []byte) {
	for range n {
		head := opened(0x4)
		copy(head[5:9], []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
		out = append(append(out, head...), frame(3, 0, id, 0, 0, 0, 8)...)
		id += 2
	}
	return out
}

func repeat(b []byte, n int) (out []byte) {
	for range n {
		out = append(out, b...)
	}
	return out
}

// Slow are the clients that take their time. host is what they ask for.
func Slow() []Kind {
	call := opened(0x4)
	call[8] = 1
	return []Kind{
		{Name: "slow headers", Beat: 2 * time.Second, Hello: []byte("GET /v1/models HTTP/1.1\r\nHost: gateway\r\n"), Drip: []byte("X-Slow: 1\r\n"), Lives: 8 * time.Second},
		{Name: "slow bodies", Beat: 2 * time.Second, Hello: []byte("POST /v1/models/shapes/infer HTTP/1.1\r\nHost: gateway\r\nContent-Type: image/jpeg\r\nContent-Length: 8000000\r\n\r\n\xff\xd8"), Drip: []byte("x"), Lives: 8 * time.Second},
		{Name: "slow readers", Beat: 2 * time.Second, Hello: repeat([]byte("GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n\r\n"), 50), Deaf: true, Lives: 30 * time.Second},
		{Name: "idle HTTP/2", HTTP2: true, Beat: 2 * time.Second, Hello: []byte(preface)},
		{Name: "slow calls", HTTP2: true, Beat: 2 * time.Second, Hello: append(append([]byte(preface), call...), frame(0, 0, 1, 0, 0, 15, 0, 0)...)},
	}
}

// Resets are the clients of HTTP/2 that make calls and give them up at once. What they drip is made anew each time, for their streams count up.
func Resets() []Kind {
	return []Kind{{Name: resetting, HTTP2: true, Beat: 500 * time.Millisecond, Hello: []byte(preface)}}
}

const resetting = "resets"

// Floods are the other clients of HTTP/2 that ask for work.
func Floods() []Kind {
	ping := frame(6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	settings := frame(4, 0, 0, 0, 4, 0, 1, 0, 0)
	begun := opened(0)
	begun[8] = 1
	return []Kind{
		{Name: "pings", HTTP2: true, Beat: 500 * time.Millisecond, Hello: []byte(preface), Drip: repeat(ping, 10)},
		{Name: "settings", HTTP2: true, Beat: 500 * time.Millisecond, Hello: []byte(preface), Drip: repeat(settings, 10)},
		{Name: "continuations", HTTP2: true, Beat: 500 * time.Millisecond, Hello: append([]byte(preface), begun...), Drip: repeat(frame(9, 0, 1), 10), Lives: 8 * time.Second},
	}
}

// Attack is attackers at work.
type Attack struct {
	Open, Dialed, Ended atomic.Int64 // connections now, and so far
	Failed              atomic.Int64 // that could not be made
	end                 context.CancelFunc
	group               sync.WaitGroup
}

// rest is how long an attacker waits that was cut off.
const rest = 2 * time.Second

// Start has n attackers of each kind begin, over a second. http and grpc are addresses; they come from many addresses of this machine.
func Start(ctx context.Context, kinds []Kind, n int, http, grpc string) *Attack {
	ctx, end := context.WithCancel(ctx)
	a := &Attack{end: end}
	for k, kind := range kinds {
		address := http
		if kind.HTTP2 {
			address = grpc
		}
		for i := range n {
			from := net.IPv4(127, 0, byte(1+k), byte(1+i%8))
			delay := time.Duration(i) * time.Second / time.Duration(n)
			a.group.Go(func() {
				for pause.For(ctx, delay) {
					a.once(ctx, &kind, from, address)
					delay = rest
				}
			})
		}
	}
	return a
}

// Stop ends the attack, and waits for its end.
func (a *Attack) Stop() {
	a.end()
	a.group.Wait()
}

// once is one connection, from its making to its end.
func (a *Attack) once(ctx context.Context, kind *Kind, from net.IP, address string) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		a.Failed.Add(1)
		return
	}
	a.Dialed.Add(1)
	a.Open.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	var reading sync.WaitGroup
	defer func() {
		cancel()
		stop()
		_ = conn.Close()
		reading.Wait()
		a.Open.Add(-1)
		a.Ended.Add(1)
	}()
	if tcp, ok := conn.(*net.TCPConn); ok && kind.Deaf {
		_ = tcp.SetReadBuffer(4096)
	}
	if !kind.Deaf {
		reading.Go(func() {
			_, _ = io.Copy(io.Discard, conn)
			cancel()
		})
	}
	_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(kind.Hello); err != nil {
		return
	}
	for id := uint32(1); pause.For(ctx, kind.Beat); id += 20 {
		drip := kind.Drip
		if kind.Name == resetting {
			drip = reset(id, 10)
		}
		if kind.Deaf { // only a write tells it that it is cut off
			drip = []byte("\r\n")
		}
		if len(drip) == 0 {
			continue
		}
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write(drip); err != nil {
			return
		}
	}
}
