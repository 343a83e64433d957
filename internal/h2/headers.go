package h2

import "golang.org/x/net/http2/hpack"

const (
	// maxHeaders bounds a header list, as HTTP/2 counts it, and is what the server is told.
	maxHeaders = 1 << 14
	// maxFields bounds how many there are.
	maxFields = 256
	// maxBlock bounds their encoded bytes, which have to be decoded whatever becomes of them; maxParts the frames.
	maxBlock = 1 << 16
	maxParts = 64
)

// fieldList collects what the decoder finds. It is used again and again.
type fieldList struct {
	list []Field
	size int
	long bool
}

func (l *fieldList) reset() { *l = fieldList{list: l.list[:0]} }

func (l *fieldList) add(f hpack.HeaderField) {
	l.size += len(f.Name) + len(f.Value) + fieldCost
	if l.size > maxHeaders || len(l.list) == maxFields {
		l.long = true
		return
	}
	l.list = append(l.list, Field{f.Name, f.Value})
}

// readHeaders takes a HEADERS frame and those that continue it.
func (c *Conn) readHeaders(f frame) error {
	s, err := c.find(f.id)
	if err != nil {
		return err
	}
	if err := c.floods.count(); err != nil {
		return err
	}
	if err := c.readBlock(f); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if c.headers.long {
		c.reject(s, broken("more than %d headers or %d bytes of them", maxFields, maxHeaders))
		return nil
	}
	last := f.has(flagEndStream)
	err = s.header(c.headers.list, last)
	switch {
	case last:
		c.floods.reset()
		c.end(s, err)
	case err != nil:
		c.reject(s, err)
	}
	return nil
}

// readBlock decodes one list of headers, also that of a stream given up, for the table of the decoder.
func (c *Conn) readBlock(f frame) error {
	n, padding, err := c.padding(f)
	if err != nil {
		return err
	}
	if f.has(flagPriority) {
		if n < 5 {
			return violation("HEADERS of %d bytes with a priority", f.length)
		}
		if err := c.in.skip(5); err != nil {
			return lost(err)
		}
		n -= 5
	}
	c.headers.reset()
	for part, total := 1, n; ; part++ {
		if total > maxBlock || part > maxParts {
			return violation("headers of more than %d bytes or %d frames", maxBlock, maxParts)
		}
		if err := c.decode(n); err != nil {
			return err
		}
		if err := c.in.skip(padding); err != nil {
			return lost(err)
		}
		if f.has(flagEndHeaders) {
			break
		}
		head, err := c.in.take(headSize)
		if err != nil {
			return lost(err)
		}
		next := parseFrame(head)
		if next.kind != frameContinuation || next.id != f.id {
			return violation("headers of stream %d are not continued", f.id)
		}
		f, n, padding = next, next.length, 0
		total += n
	}
	if err := c.decoder.Close(); err != nil {
		return violation("headers: %v", err)
	}
	return nil
}

func (c *Conn) decode(n int) error {
	if n > maxBlock {
		return violation("headers of %d bytes", n)
	}
	for n > 0 { // the buffer may be shorter than the block
		part := min(n, readBuffer)
		b, err := c.in.take(part)
		if err != nil {
			return lost(err)
		}
		if _, err := c.decoder.Write(b); err != nil {
			return violation("headers: %v", err)
		}
		n -= part
	}
	return nil
}
