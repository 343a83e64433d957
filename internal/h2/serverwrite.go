package h2

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"golang.org/x/net/http2/hpack"
)

// answer is what is still to be sent of a message.
type answer struct {
	header  []Field
	trailer []Field
	last    bool // the call ends with it

	prefix [prefixSize]byte
	first  int // bytes of the prefix that are gone
	body   [][]byte
	at     int // bytes of the first piece that are gone
	left   int // bytes of body and prefix that are not gone
}

// next gives at most n bytes of prefix and body; n is at most what is there of them.
func (a *answer) next(n int) []byte {
	if rest := a.prefix[a.first:]; len(rest) > 0 {
		rest = rest[:min(n, len(rest))]
		a.first += len(rest)
		return rest
	}
	for a.at == len(a.body[0]) {
		a.body, a.at = a.body[1:], 0
	}
	b := a.body[0][a.at:]
	b = b[:min(n, len(b))]
	a.at += len(b)
	return b
}

// Send sends one message, in pieces. The first one sends header before; later ones' is not used. It waits while the client takes no more, at most until the
// call's context ends. Nobody reads header or body after it has returned. After an error, only End is of use.
func (c *ServerCall) Send(header []Field, body [][]byte, compressed bool) error {
	return c.send(&answer{header: header, body: body}, compressed)
}

// Reply answers a unary call well: headers, one message, and the end, in one write where they fit. It is Send and End otherwise.
func (c *ServerCall) Reply(header []Field, body [][]byte, compressed bool, trailer []Field) error {
	return c.send(&answer{header: header, body: body, trailer: trailer, last: true}, compressed)
}

func (c *ServerCall) send(a *answer, compressed bool) error {
	size, err := bodySize(a.body)
	if err == nil {
		err = checkFields(a.header)
	}
	if err == nil {
		err = checkFields(a.trailer)
	}
	if err != nil {
		return fmt.Errorf("h2: %w", err)
	}
	a.left = size + prefixSize
	if compressed {
		a.prefix[0] = 1
	}
	binary.BigEndian.PutUint32(a.prefix[1:], uint32(size))
	for a.left > 0 {
		if !c.conn.tryLock() {
			if c.leave(a) {
				c.conn.flushSoon()
				return nil
			}
			if err := c.conn.lock(c.ctx); err != nil {
				return err
			}
		}
		n, err := c.plan(a)
		if err == nil && n >= 0 {
			err = c.writeTurn(a, n)
		}
		c.conn.unlock()
		if err != nil {
			return err
		}
		if n >= 0 {
			continue
		}
		c.conn.attend()
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return nil
}

func bodySize(body [][]byte) (size int, err error) {
	for _, b := range body {
		if len(b) > math.MaxInt32-size {
			return 0, fmt.Errorf("%w: a message has at most 2^31-1 bytes", ErrRequest)
		}
		size += len(b)
	}
	return size, nil
}

// lock takes the write lock.
func (c *serverConn) lock(ctx context.Context) error {
	select {
	case c.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaveLimit is how long a whole answer may be, with its prefix, to be copied for who is writing at that moment, instead of waiting for that one.
const leaveLimit = 4 << 10

// leave has another goroutine write a short answer and the end of the call, if the client takes it.
func (c *ServerCall) leave(a *answer) bool {
	if !a.last || a.left > leaveLimit || a.first > 0 {
		return false
	}
	conn := c.conn
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if c.gone || conn.err != nil || int64(a.left) > min(c.window, conn.peer.window) {
		return false
	}
	c.window -= int64(a.left)
	conn.peer.window -= int64(a.left)
	e := ending{id: c.id, bare: !c.answered, http: "200", content: c.content, status: &Status{}, trailer: slices.Clone(a.trailer), reset: !c.clientDone,
		header: slices.Clone(a.header), message: make([]byte, 0, a.left)}
	for a.left > 0 {
		piece := a.next(a.left)
		a.left -= len(piece)
		e.message = append(e.message, piece...)
	}
	c.answered = true
	conn.drop(c)
	c.uncount()
	conn.endings = append(conn.endings, e)
	return true
}

// plan takes the window for the next turn, and what there is of other frames, and encodes the headers. The caller has the write lock. It gives the bytes of the
// message that are to be written, -1 when there is nothing to write.
func (c *ServerCall) plan(a *answer) (int, error) {
	conn := c.conn
	o := &conn.out
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if c.gone {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		return 0, errEnded
	}
	n := int(max(0, min(int64(a.left), c.window, conn.peer.window, turn)))
	if n == 0 && c.answered {
		if !c.blocked {
			c.blocked = true
			conn.blocked = append(conn.blocked, c)
		}
		return -1, nil
	}
	conn.collect()
	o.limit = min(conn.peer.frame, sendLimit)
	if !c.answered {
		c.answered = true
		o.block.Reset()
		o.field(":status", "200", false)
		o.field("content-type", c.content, false)
		for _, f := range a.header {
			o.field(f.Name, f.Value, true)
		}
		o.headers(c.id, 0, o.limit)
	}
	c.window -= int64(n)
	conn.peer.window -= int64(n)
	conn.sent = true
	conn.useful++
	o.end = nil
	if a.last && n == a.left {
		o.end = &ending{id: c.id, status: &Status{}, trailer: a.trailer, reset: !c.clientDone}
		o.most = conn.peer.headers
		conn.drop(c)
		c.uncount()
	}
	return n, nil
}

// collect begins a write with the frames that wait. The caller has mu and the write lock.
func (c *serverConn) collect() {
	o := &c.out
	o.bytes, o.vector = append(o.bytes[:0], c.control...), o.vector[:0]
	c.control, c.answers = c.control[:0], 0
	if o.table != c.peer.table {
		o.table = c.peer.table
		o.encoder.SetMaxDynamicTableSizeLimit(o.table)
		o.encoder.SetMaxDynamicTableSize(min(o.table, 4096))
	}
	for i := range c.endings {
		c.appendEnding(&c.endings[i])
		c.sent = true
		c.useful++
	}
	clear(c.endings)
	c.endings = c.endings[:0]
}

// writeTurn writes n bytes of the message as frames, with what is collected before, and the end after. The caller has the write lock.
func (c *ServerCall) writeTurn(a *answer, n int) error {
	o := &c.conn.out
	start, small := 0, copyLimit
	if n > copyLimit {
		small = pieceLimit
	}
	for n > 0 {
		size := min(n, o.limit)
		o.bytes = appendFrame(o.bytes, size, frameData, 0, c.id)
		n, a.left = n-size, a.left-size
		for size > 0 {
			piece := a.next(size)
			size -= len(piece)
			if len(piece) <= small {
				o.bytes = append(o.bytes, piece...) // may move; what the vector points to stays as it is
				continue
			}
			o.vector = append(o.vector, o.bytes[start:len(o.bytes):len(o.bytes)], piece)
			start = len(o.bytes)
		}
	}
	if e := o.end; e != nil {
		o.end = nil
		o.block.Reset()
		o.trailers(e.status, e.trailer, o.most)
		o.headers(e.id, flagEndStream, o.limit)
		if e.reset {
			o.bytes = appendReset(o.bytes, e.id, CodeNo)
		}
	}
	if start < len(o.bytes) {
		o.vector = append(o.vector, o.bytes[start:])
	}
	return c.conn.write(c.ctx)
}

// headers cuts the block into frames.
func (o *serverOut) headers(id uint32, flags byte, limit int) {
	kind, block := byte(frameHeaders), o.block.Bytes()
	for first := true; first || len(block) > 0; first = false {
		n := min(len(block), limit)
		if n == len(block) {
			flags |= flagEndHeaders
		}
		o.bytes = append(appendFrame(o.bytes, n, kind, flags, id), block[:n]...)
		block, kind, flags = block[n:], frameContinuation, 0
	}
}

func (o *serverOut) field(name, value string, varies bool) {
	_ = o.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: varies}) // into memory
}

// checkFields says what is wrong with metadata that a handler gives.
func checkFields(list []Field) error {
	for _, f := range list {
		switch f.Name {
		case "grpc-encoding", "grpc-accept-encoding", "grpc-status-details-bin":
		default:
			if reserved(f.Name) {
				return fmt.Errorf("%w: header %q is not for handlers to set", ErrRequest, f.Name)
			}
		}
		if !token(f.Name) || !plain(f.Value) {
			return fmt.Errorf("%w: header %q has characters that HTTP/2 does not allow", ErrRequest, f.Name)
		}
	}
	return nil
}
