package h2

import (
	"encoding/binary"
	"fmt"
	"math"
)

// unsentMessage is what is still to be sent of a message.
type unsentMessage struct {
	prefix [prefixSize]byte
	first  int // bytes of the prefix that are gone
	body   [][]byte
	at     int // bytes of the first piece that are gone
	left   int // bytes of body and prefix that are not gone
}

// newMessage begins a message that is given in pieces.
func newMessage(body [][]byte, compressed bool) (unsentMessage, error) {
	size := 0
	for _, b := range body {
		if len(b) > math.MaxInt32-size {
			return unsentMessage{}, fmt.Errorf("%w: a message has at most 2^31-1 bytes", ErrRequest)
		}
		size += len(b)
	}
	m := unsentMessage{body: body, left: size + prefixSize}
	if compressed {
		m.prefix[0] = 1
	}
	binary.BigEndian.PutUint32(m.prefix[1:], uint32(size))
	return m, nil
}

// next gives at most n bytes of prefix and body; n is at most what is there of them.
func (m *unsentMessage) next(n int) []byte {
	if rest := m.prefix[m.first:]; len(rest) > 0 {
		rest = rest[:min(n, len(rest))]
		m.first += len(rest)
		m.left -= len(rest)
		return rest
	}
	for m.at == len(m.body[0]) {
		m.body, m.at = m.body[1:], 0
	}
	b := m.body[0][m.at:]
	b = b[:min(n, len(b))]
	m.at += len(b)
	m.left -= len(b)
	return b
}
