package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/pause"
)

// nameMode is what the name server does.
type nameMode int32

const (
	answering nameMode = iota
	gone               // its port is closed
	silent
	babbling
	tardy
)

// tardiness is how late it answers when it is slow.
const tardiness = 2 * time.Second

// names is a name server that answers every question for an IPv4 address with 127.0.0.1.
type names struct {
	Address string // an address of this machine's own network, port 53
	mode    atomic.Int32
	asked   atomic.Int64
	mu      sync.Mutex // guards conn
	conn    net.PacketConn
	all     sync.WaitGroup
	done    context.Context
	end     context.CancelFunc
}

// newNames listens at an address 127.x.y.z that nobody else is likely to use: the port cannot be chosen.
func newNames() (*names, error) {
	var err error
	for range 10 {
		n := &names{Address: fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(64), rand.IntN(256), 1+rand.IntN(254))}
		n.done, n.end = context.WithCancel(context.Background())
		if err = n.open(); err == nil {
			return n, nil
		}
		n.end()
	}
	return nil, cannot("no name server at port 53: %v", err)
}

func (n *names) open() error {
	conn, err := net.ListenPacket("udp", net.JoinHostPort(n.Address, "53"))
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conn = conn
	n.all.Go(func() { n.serve(conn) })
	return nil
}

// become changes what it does.
func (n *names) become(m nameMode) error {
	old := nameMode(n.mode.Swap(int32(m)))
	switch {
	case m == gone && old != gone:
		return n.shut()
	case m != gone && old == gone:
		return n.open()
	}
	return nil
}

func (n *names) shut() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conn.Close()
}

func (n *names) close() {
	n.end()
	_ = n.shut()
	n.all.Wait()
}

func (n *names) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		n.asked.Add(1)
		answer := reply(buffer[:size])
		switch nameMode(n.mode.Load()) {
		case silent:
			continue
		case babbling:
			if len(answer) > 2 {
				fillRubbish(answer[2:]) // the first two bytes tell to which question it belongs
			}
		case tardy:
			n.all.Go(func() {
				pause.For(n.done, tardiness)
				_, _ = conn.WriteTo(answer, from)
			})
			continue
		}
		if answer != nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

// headSize is that of a DNS message's header; by RFC 1035, section 4.1.1.
const headSize = 12

// reply answers a question: 127.0.0.1 where it is for an IPv4 address, otherwise that there is none. nil for what is no message with one question.
func reply(message []byte) []byte {
	if len(message) < headSize || message[2]&0x80 != 0 || message[4] != 0 || message[5] != 1 {
		return nil
	}
	end := headSize
	for end < len(message) && message[end] != 0 { // labels, each behind its length
		if message[end] > 63 {
			return nil
		}
		end += 1 + int(message[end])
	}
	end += 5 // the empty label, type and class
	if end > len(message) {
		return nil
	}
	address := message[end-4] == 0 && message[end-3] == 1
	answer := append([]byte(nil), message[:end]...)
	answer[2], answer[3] = 0x84|message[2]&1, 0x80 // an answer, with authority
	clear(answer[6:headSize])
	if address {
		answer[7] = 1
		// The name of the question, an IPv4 address of the internet, good for a second, of four bytes.
		answer = append(answer, 0xc0, headSize, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	return answer
}
