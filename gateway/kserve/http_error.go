package kserve

import (
	"context"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"triton-gateway/internal/fault"
)

// drainTime is how long the body of a refused request is read and thrown away, so that the connection can be used again and its caller, who may
// still be sending, sees the answer.
const drainTime = 2 * time.Second

// fail answers with Triton's JSON for an error.
func (h *httpSide) fail(c *httpCall, err error) Code {
	code, text, after := h.failure(err)
	if code.HTTP == 0 {
		code.HTTP = http.StatusInternalServerError
	}
	header := c.Header()
	if after > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(after.Seconds())), 10))
	}
	rest := c.unread()
	control := http.NewResponseController(c.ResponseWriter)
	if rest > 0 {
		_ = control.EnableFullDuplex() // else net/http reads of the body, or closes, before it sends the answer
	}
	c.send(code.HTTP, appendMember(append([]byte{'{'}, `"error":`...), text))
	if rest > 0 && rest <= h.Limits.Message && header.Get("Connection") == "" {
		_ = control.Flush()
		_ = control.SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.Copy(io.Discard, c.r.Body) // what cannot be read ends the connection, which net/http sees to
		_ = control.SetReadDeadline(time.Time{})
	}
	return code
}

// appendMember ends an object with a string.
func appendMember(b []byte, text string) []byte {
	return append(appendString(b, []byte(text)), '}')
}

// unread is how many bytes of the body have not been asked for, where that is known and early says that there may be any.
func (c *httpCall) unread() int64 {
	if !c.early || len(c.r.Header["Expect"]) > 0 { // one that waits to be asked for its body will not send it
		return 0
	}
	return c.r.ContentLength
}

// send answers with JSON.
func (c *httpCall) send(status int, body []byte) {
	header := c.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.Write(body) // a caller that has gone cannot be told
	}
}

var (
	jsonType   = []string{"application/json"}
	binaryType = []string{"application/octet-stream"}
)

// refuse answers calls that change or show the model server itself: they are not for callers, and nothing here does them for admins.
func (h *httpSide) refuse(text string) func(ctx context.Context, c *httpCall) error {
	return func(context.Context, *httpCall) error {
		if h.admin {
			return fault.New(fault.Unsupported, "unsupported_model", "%s", text)
		}
		return fault.New(fault.Forbidden, "forbidden", "%s", text)
	}
}
