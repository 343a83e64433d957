package h2

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const (
	// controlLimit bounds the frames that are looked at whole. SETTINGS have some ten entries; GOAWAY may carry a text.
	controlLimit = 1 << 12
	// maxAnswers bounds the acknowledgements that wait because the server does not read them.
	maxAnswers = 1 << 10
	// floodLimit bounds the frames without any use between two ends of calls, in each floodTime.
	floodLimit = 10_000
	floodTime  = 10 * time.Second
)

// flood counts frames that move nothing on.
type flood struct {
	frames int
	since  time.Time
}

func (f *flood) reset() { f.frames = 0 }

func (f *flood) count() error {
	if f.frames == 0 {
		f.since = time.Now()
	}
	if f.frames++; f.frames <= floodLimit {
		return nil
	}
	if time.Since(f.since) < floodTime {
		return violation("%d frames without any use in %v", f.frames, floodTime)
	}
	f.frames = 0
	return nil
}

// obey does what a control frame asks for; body is its whole content.
func (c *Conn) obey(f frame, body []byte) error {
	want := map[byte]int{framePing: 8, frameWindow: 4, frameReset: 4}[f.kind]
	if want > 0 && len(body) != want || f.kind == frameGoAway && len(body) < 8 {
		return violation("a frame of type %d with %d bytes", f.kind, len(body))
	}
	if alone := f.kind == frameSettings || f.kind == framePing || f.kind == frameGoAway; alone && f.id != 0 {
		return violation("a frame of type %d on stream %d", f.kind, f.id)
	}
	switch f.kind {
	case frameSettings:
		return c.settings(f, body)
	case framePing:
		if f.has(flagAck) {
			return nil
		}
		return c.acknowledge(append(appendFrame(nil, 8, framePing, flagAck, 0), body...))
	case frameGoAway:
		c.goAway(binary.BigEndian.Uint32(body)&lastID, Code(binary.BigEndian.Uint32(body[4:])), string(body[8:]))
		return nil
	case frameReset:
		return c.reset(f.id, Code(binary.BigEndian.Uint32(body)))
	}
	return c.widen(f.id, binary.BigEndian.Uint32(body)&maxWindow)
}

// acknowledge answers a frame.
func (c *Conn) acknowledge(answer []byte) error {
	c.mu.Lock()
	c.control = append(c.control, answer...)
	c.answers++
	many := c.answers > maxAnswers
	c.mu.Unlock()
	if many {
		return violation("it asks for answers and does not read them")
	}
	c.flushSoon()
	return nil
}

func (c *Conn) settings(f frame, body []byte) error {
	if f.has(flagAck) {
		return nil
	}
	if len(body)%6 != 0 {
		return violation("SETTINGS of %d bytes", len(body))
	}
	c.mu.Lock()
	for ; len(body) > 0; body = body[6:] {
		if err := c.set(binary.BigEndian.Uint16(body), binary.BigEndian.Uint32(body[2:])); err != nil {
			c.mu.Unlock()
			return err
		}
	}
	c.grant()
	c.mu.Unlock()
	return c.acknowledge(appendFrame(nil, 0, frameSettings, flagAck, 0))
}

// set has mu.
func (c *Conn) set(id uint16, value uint32) error {
	switch id {
	case settingTable:
		c.peer.table = value
	case settingStreams:
		c.peer.streams = value
	case settingHeaders:
		c.peer.headers = value
	case settingFrame:
		if value < leastFrame || value > largestFrame {
			return violation("SETTINGS_MAX_FRAME_SIZE is %d", value)
		}
		c.peer.frame = int(value)
	case settingWindow:
		if value > maxWindow {
			return violation("SETTINGS_INITIAL_WINDOW_SIZE is %d", value)
		}
		more := int64(value) - c.peer.initial
		c.peer.initial = int64(value)
		for _, s := range c.streams {
			if s.window += more; s.window > maxWindow {
				return violation("the window of stream %d is larger than 2^31-1", s.id)
			}
		}
		c.unblock()
	}
	return nil
}

// widen takes a WINDOW_UPDATE.
func (c *Conn) widen(id, more uint32) error {
	if id == 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.peer.window += int64(more); more == 0 || c.peer.window > maxWindow {
			return violation("a window update of %d makes %d", more, c.peer.window)
		}
		c.unblock()
		return nil
	}
	s, err := c.find(id)
	if err != nil || s == nil {
		return err
	}
	c.mu.Lock()
	s.window += int64(more)
	window := s.window
	c.poke(s)
	c.mu.Unlock()
	if more == 0 || window > maxWindow {
		c.reject(s, broken("a window update of %d for a stream makes %d", more, window))
	}
	return nil
}

// reset takes a RST_STREAM.
func (c *Conn) reset(id uint32, code Code) error {
	s, err := c.find(id)
	if err != nil || s == nil {
		return err
	}
	c.mu.Lock()
	s.sent = true // nobody tells the server what it knows
	c.mu.Unlock()
	c.end(s, &Reset{code})
	return nil
}

// goAway ends what the server will not process, and lets the rest finish.
func (c *Conn) goAway(last uint32, code Code, text string) {
	text = strings.ToValidUTF8(text[:min(len(text), 200)], "?")
	why := fmt.Errorf("h2: the server takes no more calls: GOAWAY %s %q", code, text)
	c.mu.Lock()
	c.peer.goAway = min(c.peer.goAway, last)
	c.drain(why)
	for id, s := range c.streams {
		if id > c.peer.goAway {
			s.sent = true // as with RST_STREAM
			c.finish(s, unsent(why))
		}
	}
	over := c.isOver()
	c.mu.Unlock()
	if over {
		c.fail(why)
	}
}
