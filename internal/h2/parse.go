package h2

// data is a DATA frame of which more is to come.
type data struct {
	open     bool
	stream   *stream // nil where nobody wants it
	left     int     // bytes of content to come
	drop     int     // bytes to be thrown away after them
	last     bool    // the stream ends with it
	straight bool    // a read into the stream's message is under way
}

// parse takes what the buffer holds, up to a frame that is not whole; of DATA, also parts. It never waits, so whoever reads may stop after it.
func (c *Conn) parse() error {
	for {
		if c.data.open {
			if whole, err := c.readOn(); err != nil || !whole {
				return err
			}
		}
		if c.in.n-c.in.i < headSize {
			return nil
		}
		f := parseFrame(c.in.buf[c.in.i:])
		need, err := c.check(f)
		if err != nil {
			return err
		}
		if c.in.n-c.in.i < headSize+need {
			return nil
		}
		c.in.i += headSize
		if err := c.readFrame(f); err != nil {
			return err
		}
		if !c.greeted {
			c.greeted = true
			close(c.ready)
		}
	}
}

// check looks at the head of a frame, and says how much more has to be there before it can be read.
func (c *Conn) check(f frame) (need int, err error) {
	switch {
	case f.length > frameLimit:
		return 0, violation("a frame of %d bytes, the limit is %d", f.length, frameLimit)
	case !c.greeted && (f.kind != frameSettings || f.has(flagAck)):
		return 0, violation("it does not begin with SETTINGS, so this is no HTTP/2 server, or one without gRPC")
	case c.block.open && (f.kind != frameContinuation || f.id != c.block.id):
		return 0, violation("headers of stream %d are not continued", c.block.id)
	}
	switch f.kind {
	case frameData:
		if f.has(flagPadded) {
			return min(1, f.length), nil
		}
		return 0, nil
	case frameHeaders, frameContinuation:
		if f.length > readBuffer-headSize {
			return 0, violation("headers of %d bytes", f.length)
		}
		return f.length, nil
	case frameSettings, framePing, frameGoAway, frameWindow, frameReset:
		if f.length > controlLimit {
			return 0, violation("a frame of type %d with %d bytes", f.kind, f.length)
		}
		return f.length, nil
	}
	return 0, nil
}

func (c *Conn) readFrame(f frame) error {
	switch f.kind {
	case frameData:
		return c.readData(f)
	case frameHeaders:
		return c.readHeaders(f)
	case frameContinuation:
		if c.block.open {
			return c.readBlock(f)
		}
		fallthrough
	case framePush:
		return violation("a frame of type %d has no place here", f.kind)
	}
	if f.kind != frameWindow {
		if err := c.floods.count(); err != nil {
			return err
		}
	}
	switch f.kind {
	case frameSettings, framePing, frameGoAway, frameWindow, frameReset:
		body, err := c.in.take(f.length)
		if err != nil {
			return lost(err)
		}
		return c.obey(f, body)
	}
	c.data = data{open: true, drop: f.length} // PRIORITY, and what this package does not know
	return nil
}

// find gives the stream that a frame belongs to, nil where its caller has given it up.
func (c *Conn) find(id uint32) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == 0 || id%2 == 0 || id >= c.nextID {
		return nil, violation("a frame for stream %d, which nobody opened", id)
	}
	return c.streams[id], nil
}

// readData begins with a part of an answer.
func (c *Conn) readData(f frame) error {
	s, err := c.find(f.id)
	if err != nil {
		return err
	}
	if c.received += f.length; c.received > maxWindow {
		return violation("more data than its window")
	}
	n, padding, err := c.padding(f)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := c.floods.count(); err != nil {
			return err
		}
	}
	c.data = data{open: true, stream: s, left: n, drop: padding, last: f.has(flagEndStream)}
	return nil
}

// readOn takes what there is of the frame that is open, and says whether that was the rest of it. The caller may have given up its call meanwhile: then
// the message is nobody's, and filled all the same, up to the end of the frame.
func (c *Conn) readOn() (whole bool, err error) {
	d := &c.data
	if s := d.stream; s != nil {
		var refused error
		d.left, refused = s.fill(&c.in, d.left, c.options.MaxAnswer)
		switch {
		case refused != nil:
			d.stream = nil
			c.end(s, refused)
		case d.left > 0:
			return false, nil
		case d.last:
			d.stream = nil
			c.end(s, broken("the answer ends without a status"))
		}
	}
	d.drop, d.left = d.drop+d.left, 0
	n := min(d.drop, c.in.n-c.in.i)
	c.in.i += n
	if d.drop -= n; d.drop > 0 {
		return false, nil
	}
	c.data = data{}
	if c.received >= refill {
		c.mu.Lock()
		c.control = appendWindow(c.control, 0, uint32(c.received))
		c.mu.Unlock()
		c.received = 0
		c.flushSoon()
	}
	return true, nil
}

// padding gives the length of a frame's content and of what follows it, and takes what stands before it.
func (c *Conn) padding(f frame) (n, padding int, err error) {
	n = f.length
	if f.has(flagPadded) {
		b, err := c.in.take(min(1, n))
		if err != nil {
			return 0, 0, lost(err)
		}
		if len(b) == 0 || int(b[0]) >= n {
			return 0, 0, violation("padding longer than its frame")
		}
		padding = int(b[0])
		n -= 1 + padding
	}
	return n, padding, nil
}

// end ends a call by what the server has sent. A stream that the server has not ended is told to the server.
func (c *Conn) end(s *stream, err error) {
	c.mu.Lock()
	c.finish(s, err)
	over, control := c.isOver(), len(c.control) > 0
	c.mu.Unlock()
	if control {
		c.flushSoon()
	}
	if over {
		c.endDrained()
	}
}

// reject ends a call whose answer is none, and tells the server.
func (c *Conn) reject(s *stream, err error) {
	c.mu.Lock()
	s.sent = false // so that it is told
	c.mu.Unlock()
	c.end(s, err)
}
