package h2

import (
	"encoding/binary"
	"time"
)

// blockLimit is how many encoded bytes a list of headers may have, which have to be decoded whatever becomes of them.
func (c *serverConn) blockLimit() int { return max(maxBlock, 2*int(c.options.MaxHeaders)) }

// readRequest takes HEADERS and what continues it: the beginning of a call, or trailers, of which gRPC has none.
func (c *serverConn) readRequest(f frame) error {
	if f.id%2 == 0 {
		return wrong(CodeProtocol, "headers of stream %d", f.id)
	}
	if err := c.count(); err != nil {
		return err
	}
	itself, err := c.readBlock(f)
	if err != nil {
		return err
	}
	if f.id <= c.lastID {
		return c.trailers(f)
	}
	c.mu.Lock()
	c.lastID = f.id
	farewell := c.farewell
	c.mu.Unlock()
	if farewell {
		return nil // it is told that this stream is not processed
	}
	if itself {
		return c.resetStream(f.id, CodeProtocol)
	}
	return c.open(f)
}

// open begins a call.
func (c *serverConn) open(f frame) error {
	ended := f.has(flagEndStream)
	if c.fields.long {
		return c.object(f.id, ended, "200", "", &Status{Code: statusExhausted, Message: "h2: the call's headers are longer than the server takes"})
	}
	h, err := parseRequest(c.fields.list)
	if err != nil || ended && h.declared > 0 {
		return c.resetStream(f.id, CodeProtocol)
	}
	if http, status := h.objection(); status != nil {
		return c.object(f.id, ended, http, "", status)
	}
	if status := c.letIn(&h); status != nil {
		return c.object(f.id, ended, "200", h.content, status)
	}
	now := time.Now()
	c.mu.Lock()
	if c.active >= int(c.options.Streams) {
		c.mu.Unlock()
		return c.resetStream(f.id, CodeRefused)
	}
	c.in.grow(readBuffer)
	c.resets.Made(now)
	call := c.newCall(f.id, &h, ended)
	call.watch.begin(c.options.Rate, now)
	call.window = c.peer.initial
	call.counted = true
	c.active++
	if c.err != nil { // ended by another goroutine: nothing would end the call
		c.mu.Unlock()
		call.cancel()
		return c.err
	}
	c.calls[f.id] = call
	c.start(call)
	c.mu.Unlock()
	return nil
}

// trailers takes headers of a stream that was opened before.
func (c *serverConn) trailers(f frame) error {
	c.mu.Lock()
	call := c.calls[f.id]
	recent, byClient := c.recent.has(f.id), c.recent.byClient(f.id)
	done := call != nil && call.clientDone
	c.mu.Unlock()
	switch {
	case call == nil && !recent:
		return wrong(CodeProtocol, "headers of stream %d after those of stream %d", f.id, c.lastID)
	case call == nil && !byClient:
		return nil
	case call == nil:
		return wrong(CodeStreamClosed, "headers of stream %d, which has ended", f.id)
	case done:
		return c.resetStream(f.id, CodeStreamClosed)
	case !f.has(flagEndStream):
		return c.resetStream(f.id, CodeProtocol)
	}
	for _, field := range c.fields.list {
		if !headerName(field.Name) || !headerValue(field.Value) {
			return c.resetStream(f.id, CodeProtocol)
		}
	}
	c.arrived(call, true)
	return nil
}

// readBlock decodes one list of headers, whatever becomes of it, for the table of the decoder. itself says that the stream depends on itself.
func (c *serverConn) readBlock(f frame) (itself bool, err error) {
	n, padding, err := c.padding(f)
	if err != nil {
		return false, err
	}
	if f.has(flagPriority) {
		if n < 5 {
			return false, wrong(CodeFrameSize, "HEADERS of %d bytes with a priority", f.length)
		}
		b, err := c.in.take(5)
		if err != nil {
			return false, err
		}
		itself = binary.BigEndian.Uint32(b)&lastID == f.id
		n -= 5
	}
	c.fields.reset()
	for part, total := 1, n; ; part++ {
		if total > c.blockLimit() || part > maxParts {
			return false, wrong(CodeCalm, "headers of more than %d bytes or %d frames", c.blockLimit(), maxParts)
		}
		if err := c.decode(n); err != nil {
			return false, err
		}
		if err := c.in.skip(padding); err != nil {
			return false, err
		}
		if f.has(flagEndHeaders) {
			break
		}
		head, err := c.in.take(headSize)
		if err != nil {
			return false, err
		}
		next := parseFrame(head)
		if next.kind != frameContinuation || next.id != f.id {
			return false, wrong(CodeProtocol, "headers of stream %d are not continued", f.id)
		}
		f, n, padding = next, next.length, 0
		total += n
	}
	if err := c.decoder.Close(); err != nil {
		return false, wrong(CodeCompression, "headers: %v", err)
	}
	return itself, nil
}

func (c *serverConn) decode(n int) error {
	for n > 0 { // the buffer may be shorter than the block
		part := min(n, len(c.in.buf))
		b, err := c.in.take(part)
		if err != nil {
			return err
		}
		if _, err := c.decoder.Write(b); err != nil {
			return wrong(CodeCompression, "headers: %v", err)
		}
		n -= part
	}
	return nil
}
