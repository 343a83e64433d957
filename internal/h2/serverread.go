package h2

import (
	"encoding/binary"
)

// readFrame takes one frame. Its error ends the connection.
func (c *serverConn) readFrame() error {
	head, err := c.in.take(headSize)
	if err != nil {
		return err
	}
	f := parseFrame(head)
	if f.length > frameLimit {
		return wrong(CodeFrameSize, "a frame of %d bytes, the limit is %d", f.length, frameLimit)
	}
	switch f.kind {
	case frameData:
		return c.readData(f)
	case frameHeaders:
		return c.readRequest(f)
	case framePush, frameContinuation:
		return wrong(CodeProtocol, "a frame of type %d has no place here", f.kind)
	}
	if err := c.count(); err != nil {
		return err
	}
	switch f.kind {
	case framePriority, frameReset, frameSettings, framePing, frameGoAway, frameWindow:
		if f.length > controlLimit {
			return wrong(CodeFrameSize, "a frame of type %d with %d bytes", f.kind, f.length)
		}
		body, err := c.in.take(f.length)
		if err != nil {
			return err
		}
		return c.obey(f, body)
	}
	return c.in.skip(f.length) // what this package does not know
}

// perUse is how many frames beside messages a message sent or a call answered excuses.
const perUse = 16

// count notes a frame that moves no message on: opening a call and giving it up are two.
func (c *serverConn) count() error {
	if c.floods.frames >= floodLimit {
		c.mu.Lock()
		c.floods.frames -= min(c.floods.frames, perUse*c.useful)
		c.useful = 0
		c.mu.Unlock()
	}
	if c.floods.count() != nil {
		return wrong(CodeCalm, "%d frames without any use in %v", floodLimit, floodTime)
	}
	return nil
}

// padding gives the length of a frame's content and of what follows it, and takes what stands before it.
func (c *serverConn) padding(f frame) (n, padding int, err error) {
	n = f.length
	if !f.has(flagPadded) {
		return n, 0, nil
	}
	if n == 0 {
		return 0, 0, wrong(CodeFrameSize, "a padded frame of 0 bytes")
	}
	b, err := c.in.take(1)
	if err != nil {
		return 0, 0, err
	}
	if padding = int(b[0]); padding >= n {
		return 0, 0, wrong(CodeProtocol, "padding longer than its frame")
	}
	return n - 1 - padding, padding, nil
}

// readData takes a part of a message.
func (c *serverConn) readData(f frame) error {
	if err := c.known(f); err != nil {
		return err
	}
	if c.window -= int64(f.length); c.window < 0 {
		return wrong(CodeFlow, "more data than the connection's window")
	}
	n, padding, err := c.padding(f)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := c.count(); err != nil {
			return err
		}
	}
	call := c.admit(f, n)
	if call != nil {
		if n, err = c.readMessages(call, n); err != nil {
			return err
		}
	}
	if err := c.in.skip(n + padding); err != nil {
		return err
	}
	if call != nil {
		c.arrived(call, f.has(flagEndStream))
	}
	if used := int64(c.options.ConnWindow) - c.window; used >= int64(c.options.ConnWindow)/4 {
		c.window += used
		c.mu.Lock()
		c.control = appendWindow(c.control, 0, uint32(used))
		c.mu.Unlock()
		c.flushSoon()
	}
	return nil
}

// known checks that a frame's stream is one that the client has opened.
func (c *serverConn) known(f frame) error {
	if f.id%2 == 0 || f.id > c.lastID {
		return wrong(CodeProtocol, "a frame of type %d for stream %d, which is not open", f.kind, f.id)
	}
	return nil
}

// admit gives the call that n bytes of data are for, nil where they are for nobody.
func (c *serverConn) admit(f frame, n int) *ServerCall {
	c.mu.Lock()
	call := c.calls[f.id]
	switch {
	case call == nil:
		if c.recent.byClient(f.id) {
			c.tell(appendReset(nil, f.id, CodeStreamClosed))
		}
	case call.clientDone:
		c.abort(call, CodeStreamClosed)
		call = nil
	case int64(f.length) > call.allowance:
		c.abort(call, CodeFlow)
		call = nil
	case call.declared >= 0 && int64(n) > call.declared-call.had:
		c.abort(call, CodeProtocol)
		call = nil
	default:
		call.allowance -= int64(f.length)
		call.had += int64(n)
		c.mu.Unlock()
		return call
	}
	c.mu.Unlock()
	c.flushSoon()
	return nil
}

// arrived does what follows from data that is in its place: the end of the client's part, the start of the handler, or more window.
func (c *serverConn) arrived(call *ServerCall, last bool) {
	c.mu.Lock()
	if call.gone {
		c.mu.Unlock()
		return
	}
	if last {
		call.clientDone = true
		if call.declared >= 0 && call.had != call.declared {
			c.abort(call, CodeProtocol)
			c.mu.Unlock()
			c.flushSoon()
			return
		}
	}
	more := c.widenCall(call)
	more = c.start(call) || more
	c.mu.Unlock()
	call.poke(call.came)
	if more {
		c.flushSoon()
	}
}

// start has the handler of a call run, if it is its time. It says whether there is something to be written instead. The caller has mu.
func (c *serverConn) start(call *ServerCall) (more bool) {
	switch {
	case call.begun:
	case call.refused != nil:
		c.refuse(call, call.refused, call.parting)
		return true
	case call.early || len(call.queue) > 0 || call.clientDone:
		call.begun = true
		c.ready = call
	}
	return false
}

// widenCall lets the client send more of a call whose messages are taken. The caller has mu.
func (c *serverConn) widenCall(call *ServerCall) bool {
	used := int64(c.options.CallWindow) - call.allowance
	if call.clientDone || call.gone || call.refused != nil || len(call.queue) > 0 || len(call.backlog) > 0 || used < int64(c.options.CallWindow)/4 {
		return false
	}
	call.allowance += used
	c.control = appendWindow(c.control, call.id, uint32(used))
	return true
}

func appendGoAway(b []byte, last uint32, code Code, text string) []byte {
	b = appendFrame(b, 8+len(text), frameGoAway, 0, 0)
	b = binary.BigEndian.AppendUint32(b, last)
	return append(binary.BigEndian.AppendUint32(b, uint32(code)), text...)
}

func (c *serverConn) appendHello(b []byte) []byte {
	o := c.options
	settings := [...]struct {
		id    uint16
		value uint32
	}{{settingStreams, o.Streams}, {settingWindow, o.CallWindow}, {settingFrame, frameLimit}, {settingHeaders, o.MaxHeaders}}
	b = appendFrame(b, 6*len(settings), frameSettings, 0, 0)
	for _, s := range settings {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, s.id), s.value)
	}
	if o.ConnWindow > firstWindow {
		b = appendWindow(b, 0, o.ConnWindow-firstWindow)
	}
	return b
}
