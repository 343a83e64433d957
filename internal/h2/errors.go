package h2

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrConn says that the server has not processed the call, so that it can be made again elsewhere: it was not sent or not sent whole, or the server said
	// so by GOAWAY or REFUSED_STREAM.
	ErrConn = errors.New("the server has not processed the call")
	// ErrBroken says that it is not known what the server has done with the call: the connection or the stream ended, or the answer is not one.
	ErrBroken = errors.New("the call broke off")
	// ErrClosed is the cause where this side has closed the connection.
	ErrClosed = errors.New("h2: the connection was closed by this side")
	// ErrRequest says that a call cannot be sent as it is: its headers or its size.
	ErrRequest = errors.New("h2: not a request")
)

// Status is how the server ended the call, if not well.
type Status struct {
	Code    uint32 // of gRPC, 1 to 16 by its list; others are passed on as they come
	Message string // percent-decoded; may be no UTF-8
	// HTTP is the HTTP status that Code was made of, as something between answered that is not the server; 0 where the server itself sent a status.
	HTTP int
}

func (s *Status) Error() string { return fmt.Sprintf("grpc status %d: %s", s.Code, s.Message) }

// Code is an error code of RFC 9113, section 7.
type Code uint32

// The codes that this package treats apart.
const (
	CodeNo           Code = 0x0
	CodeProtocol     Code = 0x1
	CodeFlow         Code = 0x3
	CodeStreamClosed Code = 0x5
	CodeFrameSize    Code = 0x6
	CodeRefused      Code = 0x7
	CodeCancel       Code = 0x8
	CodeCompression  Code = 0x9
	CodeCalm         Code = 0xb
)

func (c Code) String() string {
	names := [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
		"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("error code %d", uint32(c))
}

// Reset is the server's RST_STREAM. It is an [ErrConn] for REFUSED_STREAM, and an [ErrBroken] else.
type Reset struct{ Code Code }

func (r *Reset) Error() string { return "h2: the server reset the stream: " + r.Code.String() }

// Unwrap says which kind of failure it is.
func (r *Reset) Unwrap() error {
	if r.Code == CodeRefused {
		return ErrConn
	}
	return ErrBroken
}

// broken is an answer that is not one.
func broken(format string, args ...any) error {
	return fmt.Errorf("h2: %w: %s", ErrBroken, fmt.Sprintf(format, args...))
}

// violation ends the connection: both sides do not agree any more on where they are.
func violation(format string, args ...any) error {
	return fmt.Errorf("h2: the server breaks the protocol: %s", fmt.Sprintf(format, args...))
}

// unescape undoes the percent-encoding of grpc-message. What is no valid escape stays as it is, as the description of gRPC asks for.
func unescape(s string) string {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := hex(s[i+1]), hex(s[i+2])
			if high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hex(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }

// fromHTTP is gRPC's list of codes for answers without one (http-grpc-status-mapping.md).
func fromHTTP(status int) uint32 {
	switch status {
	case 400:
		return 13
	case 401:
		return 16
	case 403:
		return 7
	case 404:
		return 12
	case 429, 502, 503, 504:
		return 14
	}
	return 2
}
