package h2

import (
	"encoding/binary"
	"time"
)

// drainPing is the content of the ping whose answer says that the client has read the first GOAWAY.
const drainPing = "farewell"

// obey does what a control frame asks for; body is its whole content.
func (c *serverConn) obey(f frame, body []byte) error {
	want := map[byte]int{framePing: 8, frameWindow: 4, frameReset: 4, framePriority: 5}[f.kind]
	if want > 0 && len(body) != want || f.kind == frameGoAway && len(body) < 8 {
		return wrong(CodeFrameSize, "a frame of type %d with %d bytes", f.kind, len(body))
	}
	if alone := f.kind == frameSettings || f.kind == framePing || f.kind == frameGoAway; alone && f.id != 0 {
		return wrong(CodeProtocol, "a frame of type %d on stream %d", f.kind, f.id)
	}
	switch f.kind {
	case frameSettings:
		return c.settings(f, body)
	case framePing:
		return c.ping(f, body)
	case frameGoAway:
		return nil // it opens no more streams
	case framePriority:
		return c.priority(f, body)
	case frameReset:
		return c.reset(f)
	}
	return c.widen(f, int64(binary.BigEndian.Uint32(body)&maxWindow))
}

// tell adds a frame that the client has caused. The caller has mu, and flushes.
func (c *serverConn) tell(answer []byte) {
	c.control = append(c.control, answer...)
	c.answers++
}

// acknowledge answers a frame.
func (c *serverConn) acknowledge(answer []byte) error {
	c.mu.Lock()
	c.tell(answer)
	c.mu.Unlock()
	c.flushSoon()
	return c.patienceLeft()
}

// patienceLeft fails when the client does not read the answers that it asks for.
func (c *serverConn) patienceLeft() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers > maxAnswers {
		return wrong(CodeCalm, "it asks for answers and does not read them")
	}
	return nil
}

func (c *serverConn) settings(f frame, body []byte) error {
	if f.has(flagAck) {
		if len(body) > 0 {
			return wrong(CodeFrameSize, "an acknowledgement of %d bytes", len(body))
		}
		return nil
	}
	if len(body)%6 != 0 {
		return wrong(CodeFrameSize, "SETTINGS of %d bytes", len(body))
	}
	c.mu.Lock()
	for ; len(body) > 0; body = body[6:] {
		if err := c.set(binary.BigEndian.Uint16(body), binary.BigEndian.Uint32(body[2:])); err != nil {
			c.mu.Unlock()
			return err
		}
	}
	c.mu.Unlock()
	return c.acknowledge(appendFrame(nil, 0, frameSettings, flagAck, 0))
}

// set has mu.
func (c *serverConn) set(id uint16, value uint32) error {
	switch id {
	case settingTable:
		c.peer.table = value
	case settingPush:
		if value > 1 {
			return wrong(CodeProtocol, "SETTINGS_ENABLE_PUSH is %d", value)
		}
	case settingHeaders:
		c.peer.headers = value
	case settingFrame:
		if value < leastFrame || value > largestFrame {
			return wrong(CodeProtocol, "SETTINGS_MAX_FRAME_SIZE is %d", value)
		}
		c.peer.frame = int(value)
	case settingWindow:
		if value > maxWindow {
			return wrong(CodeFlow, "SETTINGS_INITIAL_WINDOW_SIZE is %d", value)
		}
		more := int64(value) - c.peer.initial
		c.peer.initial = int64(value)
		for _, call := range c.calls {
			if call.window += more; call.window > maxWindow {
				return wrong(CodeFlow, "the window of stream %d is larger than 2^31-1", call.id)
			}
		}
		c.unblock()
	}
	return nil
}

// unblock lets those look again that wait for window. The caller has mu.
func (c *serverConn) unblock() {
	for _, call := range c.blocked {
		call.blocked = false
		call.poke(call.wake)
	}
	clear(c.blocked)
	c.blocked = c.blocked[:0]
}

// ping answers one, unless there are too many. Those after something that the client was sent are how clients measure.
func (c *serverConn) ping(f frame, body []byte) error {
	if f.has(flagAck) {
		if string(body) == drainPing {
			c.sayFarewell()
		}
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	excused := c.sent
	c.sent = false
	c.mu.Unlock()
	switch {
	case excused:
		c.strikes = 0
	case now.Sub(c.pinged) < c.options.Pings:
		c.strikes++
	}
	if c.pinged = now; c.strikes > 2 {
		return &connError{CodeCalm, "too_many_pings"}
	}
	return c.acknowledge(append(appendFrame(nil, 8, framePing, flagAck, 0), body...))
}

// priority is looked at only for what is wrong with it: nothing here depends on it.
func (c *serverConn) priority(f frame, body []byte) error {
	switch {
	case f.id == 0:
		return wrong(CodeProtocol, "PRIORITY of stream 0")
	case binary.BigEndian.Uint32(body)&lastID == f.id:
		return c.resetStream(f.id, CodeProtocol)
	}
	return nil
}

// resetStream ends what is wrong with one stream only.
func (c *serverConn) resetStream(id uint32, code Code) error {
	c.mu.Lock()
	if call := c.calls[id]; call != nil {
		c.abort(call, code)
	} else {
		c.tell(appendReset(nil, id, code))
	}
	c.mu.Unlock()
	c.flushSoon()
	return c.patienceLeft()
}

// widen takes a WINDOW_UPDATE.
func (c *serverConn) widen(f frame, more int64) error {
	if f.id == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		if more == 0 {
			return wrong(CodeProtocol, "a window update of 0")
		}
		if c.peer.window += more; c.peer.window > maxWindow {
			return wrong(CodeFlow, "a window of %d bytes", c.peer.window)
		}
		c.unblock()
		return nil
	}
	if err := c.known(f); err != nil {
		return err
	}
	c.mu.Lock()
	call := c.calls[f.id]
	if call == nil {
		c.mu.Unlock()
		return nil
	}
	call.window += more
	window := call.window
	call.poke(call.wake)
	c.mu.Unlock()
	switch {
	case more == 0:
		return c.resetStream(f.id, CodeProtocol)
	case window > maxWindow:
		return c.resetStream(f.id, CodeFlow)
	}
	return nil
}

// reset takes a RST_STREAM.
func (c *serverConn) reset(f frame) error {
	if err := c.known(f); err != nil {
		return err
	}
	c.mu.Lock()
	call := c.calls[f.id]
	if call != nil {
		call.clientDone = true
		c.drop(call)
	}
	c.mu.Unlock()
	if call == nil {
		return nil
	}
	call.cancel()
	if c.resets.GivenUp(fewResets * int(c.options.Streams)) {
		return wrong(CodeCalm, "%s", manyResets)
	}
	return nil
}

const (
	// fewResets times as many calls as may be made at a time may be given up in any case.
	fewResets  = 2
	manyResets = "it gives its calls up as fast as it makes them"
)
