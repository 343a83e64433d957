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

// fail answers with Triton's JSON for an error. abort says that the connection cannot be used again, and that the handler has to end it: bytes of
// the body may still come, and would be read as the next request.
func (h *httpSide) fail(c *httpCall, err error) (code Code, abort bool) {
	code, text, after := h.failure(err)
	if code.HTTP == 0 {
		code.HTTP = http.StatusInternalServerError
	}
	header := c.Header()
	if after > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(after.Seconds())), 10))
	}
	control := http.NewResponseController(c.ResponseWriter)
	drain := false
	if c.early {
		_ = control.SetReadDeadline(time.Now().Add(h.drain)) // net/http reads of the body too; it sets the deadline anew for the next request
		waits := len(c.r.Header["Expect"]) > 0               // one that waits to be asked for its body will not send it
		n := c.r.ContentLength
		drain = n > 0 && n <= h.Limits.Message && !waits && header.Get("Connection") == ""
	}
	if drain { // else net/http reads of the body, or closes, before it sends the answer
		drain = control.EnableFullDuplex() == nil
	}
	c.send(code.HTTP, appendMember([]byte(`{"error":`), text))
	if drain {
		_ = control.Flush()
		_, err := io.Copy(io.Discard, c.r.Body)
		abort = err != nil
	}
	return code, abort
}

// appendMember ends an object with a string.
func appendMember(b []byte, text string) []byte {
	return append(appendString(b, []byte(text)), '}')
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
	return func(ctx context.Context, _ *httpCall) error {
		if operator(ctx, h.admin) {
			return fault.New(fault.Unsupported, "unsupported_model", "%s", text)
		}
		return fault.New(fault.Forbidden, "forbidden", "%s", text)
	}
}
