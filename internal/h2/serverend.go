package h2

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ending is the end of a call that waits for its turn to be written.
type ending struct {
	id      uint32
	bare    bool   // no headers were sent
	http    string // the HTTP status, if bare
	content string // the content type, if bare
	status  *Status
	trailer []Field
	reset   bool    // the client has not ended its part
	header  []Field // beside these, if bare
	message []byte  // to be sent before, with its prefix; nil for none
}

// End ends the call; a nil status is OK. It does not wait for the client. A second end is an error that changes nothing.
func (c *ServerCall) End(status *Status, trailer []Field) error {
	fault := checkFields(trailer)
	if fault != nil {
		trailer = nil
	}
	conn := c.conn
	conn.mu.Lock()
	if c.gone {
		conn.mu.Unlock()
		return errEnded
	}
	if status == nil {
		status = &Status{}
	}
	conn.drop(c)
	c.uncount()
	conn.endings = append(conn.endings, ending{id: c.id, bare: !c.answered, http: "200", content: c.content, status: status, trailer: slices.Clone(trailer), reset: !c.clientDone})
	conn.mu.Unlock()
	conn.flushSoon()
	return fault
}

// refuse ends a call that has no handler. The caller has mu.
func (c *serverConn) refuse(call *ServerCall, status *Status, trailer []Field) {
	c.drop(call)
	call.cancel()
	c.answers++
	c.endings = append(c.endings, ending{id: call.id, bare: true, http: "200", content: call.content, status: status, trailer: trailer, reset: !call.clientDone})
}

// object ends what has not even become a call.
func (c *serverConn) object(id uint32, ended bool, http, content string, status *Status) error {
	c.mu.Lock()
	c.answers++
	c.recent.add(id, ended)
	c.endings = append(c.endings, ending{id: id, bare: true, http: http, content: content, status: status, reset: !ended})
	c.mu.Unlock()
	c.flushSoon()
	return c.patienceLeft()
}

// over says that a connection that takes no more calls has nothing left to do. The caller has mu.
func (c *serverConn) over() bool {
	return c.farewell && c.active == 0 && len(c.calls) == 0 && len(c.control) == 0 && len(c.endings) == 0
}

// drain has the client make no more calls, and the connection end after the last. Calls that are on their way are still answered: the client is told which was
// the last when it has answered a ping.
func (c *serverConn) drain() {
	c.mu.Lock()
	again := c.draining
	if !again {
		c.draining = true
		c.control = appendGoAway(c.control, lastID, CodeNo, "")
		c.control = append(appendFrame(c.control, 8, framePing, 0, 0), drainPing...)
	}
	c.mu.Unlock()
	if !again {
		c.flushSoon()
		time.AfterFunc(5*time.Second, c.sayFarewell)
	}
}

// sayFarewell says which call was the last.
func (c *serverConn) sayFarewell() {
	c.mu.Lock()
	if c.draining && !c.farewell && c.err == nil {
		c.farewell = true
		c.control = appendGoAway(c.control, c.lastID, CodeNo, "")
	}
	c.mu.Unlock()
	c.flushSoon()
}

// part closes this side's half, after all is said, and gives the client a moment to close the other.
func (c *serverConn) part() {
	c.mu.Lock()
	again := c.shut
	c.shut = true
	c.mu.Unlock()
	if !again {
		c.closeWrite()
		_ = c.nc.SetReadDeadline(time.Now().Add(parting))
	}
}

// longestMessage bounds grpc-message: some clients take 8 KiB of trailers.
const longestMessage = 4 << 10

// escape percent-encodes grpc-message, and cuts what is too long.
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD")
	plain := len(s) <= longestMessage
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] <= '~' && s[i] != '%'
	}
	if plain {
		return s
	}
	out := make([]byte, 0, min(3*len(s), longestMessage))
	for i := 0; i < len(s) && len(out) < longestMessage-3; i++ {
		if b := s[i]; b >= ' ' && b <= '~' && b != '%' {
			out = append(out, b)
		} else {
			out = append(out, '%', digits[b>>4], digits[b&15])
		}
	}
	return string(out)
}

// appendEnding encodes the end of a call. The caller has mu and the write lock.
func (c *serverConn) appendEnding(e *ending) {
	o := &c.out
	o.block.Reset()
	if e.bare {
		content := e.content
		if content == "" {
			content = "application/grpc"
		}
		o.field(":status", e.http, false)
		o.field("content-type", content, false)
		for _, f := range e.header {
			o.field(f.Name, f.Value, true)
		}
	}
	limit := min(c.peer.frame, sendLimit)
	if e.message != nil {
		if e.bare {
			o.headers(e.id, 0, limit)
			o.block.Reset()
		}
		o.bytes = append(appendFrame(o.bytes, len(e.message), frameData, 0, e.id), e.message...)
	}
	o.trailers(e.status, e.trailer, c.peer.headers)
	o.headers(e.id, flagEndStream, limit)
	if e.reset {
		o.bytes = appendReset(o.bytes, e.id, CodeNo)
	}
}

// trailers encodes the status and what follows it, of which as much as the client takes.
func (o *serverOut) trailers(status *Status, trailer []Field, most uint32) {
	o.field("grpc-status", strconv.FormatUint(uint64(status.Code), 10), false)
	size := uint64(8 * fieldCost)
	if status.Message != "" {
		text := escape(status.Message)
		size += uint64(len(text))
		o.field("grpc-message", text, true)
	}
	for _, f := range trailer {
		if size += uint64(len(f.Name)+len(f.Value)) + fieldCost; size <= uint64(most) {
			o.field(f.Name, f.Value, true)
		}
	}
}
