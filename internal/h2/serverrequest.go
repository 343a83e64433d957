package h2

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// requestFields collects what the decoder finds. It is used again and again.
type requestFields struct {
	list []Field
	most int // bytes of a list
	size int
	long bool
}

func (l *requestFields) reset() { l.list, l.size, l.long = l.list[:0], 0, false }

func (l *requestFields) add(f hpack.HeaderField) {
	l.size += len(f.Name) + len(f.Value) + fieldCost
	if l.size > l.most || len(l.list) == maxFields {
		l.long = true
		return
	}
	l.list = append(l.list, Field{f.Name, f.Value})
}

// requestHead is what a call's headers say.
type requestHead struct {
	method, scheme, path, authority string
	content                         string
	hosts, authorities              int
	deadline                        time.Time
	timed                           bool
	badTimeout                      error
	declared                        int64 // content-length, -1 if not said
	rest                            []Field
	under                           context.Context // of the call's; nil: none
	soon                            bool            // the handler starts at once
}

// parseRequest reads a header list; an error is a fault against HTTP/2 that ends the stream.
func parseRequest(list []Field) (h requestHead, err error) {
	h.declared = -1
	h.rest = make([]Field, 0, len(list))
	regular := false
	for _, f := range list {
		if strings.HasPrefix(f.Name, ":") {
			if regular {
				return h, fmt.Errorf("%s after other headers", f.Name)
			}
			if err := h.pseudo(f); err != nil {
				return h, err
			}
			continue
		}
		regular = true
		if !headerName(f.Name) || !headerValue(f.Value) {
			return h, fmt.Errorf("header %.40q has characters that HTTP/2 does not allow", f.Name)
		}
		if err := h.regular(f); err != nil {
			return h, err
		}
	}
	if h.method == "" || h.scheme == "" || h.path == "" {
		return h, errors.New("without :method, :scheme or :path")
	}
	return h, nil
}

func (h *requestHead) pseudo(f Field) error {
	place := map[string]*string{":method": &h.method, ":scheme": &h.scheme, ":path": &h.path, ":authority": &h.authority}[f.Name]
	switch {
	case place == nil:
		return fmt.Errorf("%.40q in a request", f.Name)
	case f.Name == ":authority":
		h.authorities++
	case *place != "":
		return fmt.Errorf("more than one %s", f.Name)
	}
	*place = f.Value
	return nil
}

func (h *requestHead) regular(f Field) error {
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return fmt.Errorf("header %q, which HTTP/2 does not have", f.Name)
	case "te":
		if f.Value != "trailers" {
			return fmt.Errorf("te is %.40q", f.Value)
		}
		return nil
	case "content-type":
		h.content = f.Value
		return nil
	case "content-length":
		n, err := strconv.ParseUint(f.Value, 10, 63)
		if err != nil || h.declared >= 0 && h.declared != int64(n) {
			return fmt.Errorf("content-length is %.40q", f.Value)
		}
		h.declared = int64(n)
		return nil
	case "grpc-timeout":
		d, err := parseTimeout(f.Value)
		h.timed, h.badTimeout = true, err
		h.deadline = time.Now().Add(d)
		return nil
	case "host":
		h.hosts++
	}
	h.rest = append(h.rest, f)
	return nil
}

// headerName says that the name of a header may be so: RFC 9113, 8.2.1 and RFC 9110, 5.6.2.
func headerName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// headerValue is the same for its value.
func headerValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || !blank(s[0]) && !blank(s[len(s)-1])
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// parseTimeout reads grpc-timeout: at most 8 digits and a unit. What is longer than a Duration can be is the longest.
func parseTimeout(s string) (time.Duration, error) {
	unit, known := map[byte]time.Duration{'n': time.Nanosecond, 'u': time.Microsecond, 'm': time.Millisecond, 'S': time.Second, 'M': time.Minute, 'H': time.Hour}[last(s)]
	if len(s) < 2 || len(s) > 9 || !known {
		return 0, fmt.Errorf("malformed grpc-timeout: %.40q is not at most 8 digits and one of n u m S M H", s)
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("malformed grpc-timeout: %q has no number", s)
	}
	if time.Duration(n) > math.MaxInt64/unit {
		return math.MaxInt64, nil
	}
	return time.Duration(n) * unit, nil
}

func last(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

// objection is what is wrong with a request that HTTP/2 allows: an HTTP status and gRPC's, by what grpc-go's server answers.
func (h *requestHead) objection() (http string, status *Status) {
	rest, grpc := strings.CutPrefix(h.content, "application/grpc")
	switch {
	case h.authorities > 1 || h.hosts > 1:
		return "400", &Status{Code: statusInternal, Message: "h2: more than one :authority or host"}
	case !grpc || rest != "" && rest[0] != '+' && rest[0] != ';':
		return "415", &Status{Code: statusInvalid, Message: fmt.Sprintf("invalid gRPC request content-type %.100q", h.content)}
	case h.badTimeout != nil:
		return "400", &Status{Code: statusInternal, Message: h.badTimeout.Error()}
	case h.method != "POST":
		return "405", &Status{Code: statusInternal, Message: fmt.Sprintf("Received a HEADERS frame with :method %.40q which should be POST", h.method)}
	}
	return "", nil
}

// newCall makes a call of a request.
func (c *serverConn) newCall(id uint32, h *requestHead, ended bool) *ServerCall {
	call := &ServerCall{conn: c, id: id, method: h.path, header: h.rest, content: h.content, came: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		allowance: int64(c.options.CallWindow), declared: h.declared, clientDone: ended, early: h.soon || c.options.Early(h.path)}
	under := h.under
	if under == nil {
		under = context.Background()
	}
	if h.timed {
		call.ctx, call.cancel = context.WithDeadline(under, h.deadline)
	} else {
		call.ctx, call.cancel = context.WithCancel(under)
	}
	return call
}
