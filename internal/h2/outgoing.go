package h2

import (
	"bytes"
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	// copyLimit is the length of a turn up to which it is copied into one buffer: that is cheaper than a list of buffers.
	copyLimit = 1 << 14
	// pieceLimit is the same for a piece of a longer turn.
	pieceLimit = 1 << 10
	// flatSize is how much is written at a time where there is no list of buffers.
	flatSize = 1 << 16
)

// outgoing is what the writer of a connection, of either side, keeps from one write to the next. Only who has the write lock uses it.
type outgoing struct {
	nc       net.Conn
	raw      syscall.RawConn // nil where bytes cannot be written past nc, as with TLS
	encoder  *hpack.Encoder
	block    bytes.Buffer // headers, encoded
	table    uint32       // bytes of the table that the encoder keeps to
	bytes    []byte       // everything that is not the caller's
	vector   net.Buffers
	rest     net.Buffers // of vector, not written yet
	ends     []int       // where the frames of the message end, in bytes from the start
	flat     []byte
	try      try
	cutWrite interrupt
}

// start makes it ready. Where a write that is cut short ends the connection, as with TLS, it may go on for grace after its call has ended. stall, where it is not 0, is how
// long any write may wait.
func (o *outgoing) start(nc net.Conn, raw syscall.RawConn, grace, stall time.Duration) {
	o.nc, o.raw, o.table = nc, raw, firstTable
	o.encoder = hpack.NewEncoder(&o.block)
	o.try.do = o.try.once
	o.cutWrite.set, o.cutWrite.stall = nc.SetWriteDeadline, stall
	if raw == nil {
		o.cutWrite.grace = grace
	}
}

// rawOf gives the socket below nc, nil where bytes cannot be read and written past nc.
func rawOf(nc net.Conn, encrypted bool) syscall.RawConn {
	s, ok := nc.(syscall.Conn)
	if !ok || encrypted || !canTry {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// resize has the encoder keep to the table that the peer has room for.
func (o *outgoing) resize(table uint32) {
	if o.table == table {
		return
	}
	o.table = table
	o.encoder.SetMaxDynamicTableSizeLimit(table)
	o.encoder.SetMaxDynamicTableSize(min(table, firstTable))
}

func (o *outgoing) field(name, value string, varies bool) {
	_ = o.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: varies}) // into memory
}

// headers cuts the block into frames. flags are of the first.
func (o *outgoing) headers(id uint32, flags byte, limit int) {
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

// data adds n bytes of a message as frames, after what is in bytes. The frame with the last of the message has the flags. What follows is added to bytes by seal.
func (o *outgoing) data(m *unsentMessage, n int, id uint32, flags byte, limit int) (start int) {
	small, total := copyLimit, len(o.bytes)
	if n > copyLimit {
		small = pieceLimit
	}
	for n > 0 {
		size, now := min(n, limit), byte(0)
		if size == m.left {
			now = flags
		}
		o.bytes = appendFrame(o.bytes, size, frameData, now, id)
		total += headSize + size
		o.ends = append(o.ends, total)
		n -= size
		for size > 0 {
			piece := m.next(size)
			size -= len(piece)
			if len(piece) <= small {
				o.bytes = append(o.bytes, piece...) // may move; what the vector points to stays as it is
				continue
			}
			o.vector = append(o.vector, o.bytes[start:len(o.bytes):len(o.bytes)], piece)
			start = len(o.bytes)
		}
	}
	return start
}

// seal adds to the vector what is in bytes from start on.
func (o *outgoing) seal(start int) {
	if start < len(o.bytes) {
		o.vector = append(o.vector, o.bytes[start:])
	}
}

// tryWrite does not wait.
func (o *outgoing) tryWrite(data []byte) (int, error) {
	t := &o.try
	t.data, t.n, t.err = data, 0, nil
	err := o.raw.Write(t.do)
	t.data = nil
	if err == nil {
		err = t.err
	}
	return max(0, t.n), err
}

// write writes the vector. cut says that it ended early because ctx did, and that others can go on with rest.
func (o *outgoing) write(ctx context.Context) (cut bool, err error) {
	o.rest = o.vector
	if o.raw != nil && len(o.vector) == 1 {
		n, err := o.tryWrite(o.vector[0])
		if err != nil || n == len(o.vector[0]) {
			return false, err
		}
		o.vector[0] = o.vector[0][n:]
	}
	left := 0
	for _, b := range o.vector {
		left += len(b)
	}
	stop := o.cutWrite.arm(ctx, left)
	if o.raw != nil {
		_, err = o.rest.WriteTo(o.nc)
	} else {
		err = o.writeFlat()
	}
	interrupted := o.cutWrite.disarm(stop)
	return interrupted && o.raw != nil && isCut(err), err
}

// writeFlat writes longer pieces than the frames are, for TLS makes a record of each.
func (o *outgoing) writeFlat() error {
	for len(o.rest) > 0 {
		o.flat = o.flat[:0]
		for len(o.rest) > 0 && len(o.flat) < flatSize {
			n := min(len(o.rest[0]), flatSize-len(o.flat))
			o.flat = append(o.flat, o.rest[0][:n]...)
			if o.rest[0] = o.rest[0][n:]; len(o.rest[0]) == 0 {
				o.rest = o.rest[1:]
			}
		}
		if _, err := o.nc.Write(o.flat); err != nil {
			return err
		}
	}
	return nil
}

// writeLock lets one write at a time: who has put something in may write. It has one place.
type writeLock chan struct{}

// tryLock takes it if nobody has it.
func (l writeLock) tryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// lock waits for it.
func (l writeLock) lock(ctx context.Context) error {
	if l.tryLock() {
		return nil
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
