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

// fieldBlock is a list of headers that is under way.
type fieldBlock struct {
	open   bool // more is to come
	id     uint32
	stream *stream // nil where nobody wants them
	last   bool    // the stream ends with it
	total  int     // bytes
	parts  int     // frames
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
	c.block = fieldBlock{open: true, id: f.id, stream: s, last: f.has(flagEndStream)}
	c.headers.reset()
	return c.readBlock(f)
}

// readBlock decodes a frame of a list of headers, also that of a stream given up, for the table of the decoder. The frame is in the buffer.
func (c *Conn) readBlock(f frame) error {
	b := &c.block
	n, padding := f.length, 0
	if f.kind == frameHeaders {
		var err error
		if n, padding, err = c.padding(f); err != nil {
			return err
		}
		if f.has(flagPriority) {
			if n < 5 {
				return violation("HEADERS of %d bytes with a priority", f.length)
			}
			c.in.i += 5
			n -= 5
		}
	}
	b.parts++
	if b.total += n; b.total > maxBlock || b.parts > maxParts {
		return violation("headers of more than %d bytes or %d frames", maxBlock, maxParts)
	}
	if _, err := c.decoder.Write(c.in.buf[c.in.i : c.in.i+n]); err != nil {
		return violation("headers: %v", err)
	}
	c.in.i += n + padding
	if !f.has(flagEndHeaders) {
		return nil
	}
	b.open = false
	if err := c.decoder.Close(); err != nil {
		return violation("headers: %v", err)
	}
	if b.stream == nil {
		return nil
	}
	c.takeHeaders(b.stream, b.last)
	b.stream = nil
	return nil
}

// takeHeaders hands a list on to its call.
func (c *Conn) takeHeaders(s *stream, last bool) {
	if c.headers.long {
		c.reject(s, broken("more than %d headers or %d bytes of them", maxFields, maxHeaders))
		return
	}
	err := s.header(c.headers.list, last)
	switch {
	case last:
		c.floods.reset()
		c.end(s, err)
	case err != nil:
		c.reject(s, err)
	}
}
