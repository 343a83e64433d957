package h2

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is one header or trailer: a name in lower case and its value as it lies on the wire, so that values of "-bin" names are in base64.
type Field struct{ Name, Value string }

// fieldCost is what a header counts beyond its bytes (RFC 9113, 6.5.2).
const fieldCost = 32

// measure checks a call's name and headers, and gives the size of the header list.
func (c *Conn) measure(method string, header []Field) (uint32, error) {
	const ours = 512 // :method, :scheme, content-type, te, grpc-timeout, and the names of the others
	size := ours + len(method) + len(c.options.Authority) + len(c.options.UserAgent)
	if !strings.HasPrefix(method, "/") || !plain(method) {
		return 0, fmt.Errorf("%w: a method is /package.Service/Method", ErrRequest)
	}
	for _, f := range header {
		if reserved(f.Name) {
			return 0, fmt.Errorf("%w: header %q is not for callers to set", ErrRequest, f.Name)
		}
		if !token(f.Name) || !plain(f.Value) {
			return 0, fmt.Errorf("%w: header %q has characters that HTTP/2 does not allow", ErrRequest, f.Name)
		}
		if size += len(f.Name) + len(f.Value) + fieldCost; size > largestFrame {
			return 0, fmt.Errorf("%w: more headers than fit", ErrRequest)
		}
	}
	return uint32(size), nil
}

// reserved are the names that this package or HTTP/2 sets itself.
func reserved(name string) bool {
	if strings.HasPrefix(name, ":") || strings.HasPrefix(name, "grpc-") {
		return true
	}
	return slices.Contains([]string{"content-type", "te", "user-agent", "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "host", "content-length"}, name)
}

func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return s != ""
}

// plain says that s is printable ASCII without space around it, as gRPC has it.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[len(s)-1] != ' '
}

// appendHeaders encodes the headers of a call and cuts them into frames. What is the same in each call becomes an index into the table that both sides keep; what
// differs is kept out of it.
func (o *outgoing) appendHeaders(ctx context.Context, c *Conn, id uint32, r *request, limit int, table uint32) {
	o.resize(table)
	o.block.Reset()
	scheme := "http"
	if c.options.TLS {
		scheme = "https"
	}
	o.field(":method", "POST", false)
	o.field(":scheme", scheme, false)
	o.field(":path", r.method, false)
	o.field(":authority", c.options.Authority, false)
	o.field("content-type", "application/grpc+proto", false)
	o.field("te", "trailers", false)
	if c.options.UserAgent != "" {
		o.field("user-agent", c.options.UserAgent, false)
	}
	if at, ok := ctx.Deadline(); ok {
		o.field("grpc-timeout", timeout(time.Until(at)), true)
	}
	for _, f := range r.header {
		o.field(f.Name, f.Value, true)
	}
	o.headers(id, 0, limit)
}

// timeout is at most 8 digits and a unit, rounded up.
func timeout(d time.Duration) string {
	const most = 1e8 - 1
	units := [...]struct {
		name string
		unit time.Duration
	}{{"u", time.Microsecond}, {"m", time.Millisecond}, {"S", time.Second}, {"M", time.Minute}, {"H", time.Hour}}
	if d <= 0 {
		return "1n"
	}
	for _, u := range units {
		if n := (d-1)/u.unit + 1; n <= most {
			return strconv.FormatInt(int64(n), 10) + u.name
		}
	}
	return "99999999H" // longer than a Duration can be
}
