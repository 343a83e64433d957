package h2

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// eager is the length of a message up to which memory for it is taken at once, as its prefix says. A longer one has to come to be believed.
const eager = 64 << 20

// fill takes n bytes of DATA as far as the buffer has them, and gives how many it has left, and what is wrong with them.
func (s *stream) fill(in *source, n, limit int) (left int, refused error) {
	if !s.answered {
		return n, broken("data before headers")
	}
	for n > 0 && s.had < prefixSize {
		part := in.give(s.prefix[s.had:min(s.had+n, prefixSize)])
		s.had += part
		if n -= part; s.had < prefixSize {
			return n, nil
		}
		size := binary.BigEndian.Uint32(s.prefix[1:])
		switch {
		case s.prefix[0] != 0:
			return n, broken("a compressed message (flag %d), although no encoding was offered", s.prefix[0])
		case uint64(size) > uint64(limit):
			return n, &Status{Code: 8, Message: "h2: an answer of " + strconv.FormatUint(uint64(size), 10) + " bytes is larger than max (" + strconv.Itoa(limit) + ")"}
		}
		s.size = int(size)
		s.message = make([]byte, min(s.size, eager))
	}
	if n > prefixSize+s.size-s.had {
		return n, broken("more than one message, where one was asked for")
	}
	for n > 0 {
		part := in.give(s.room(n))
		if part == 0 {
			break
		}
		s.had += part
		n -= part
	}
	return n, nil
}

// room is where the next at most n bytes of the message go.
func (s *stream) room(n int) []byte {
	had := s.had - prefixSize
	if had < 0 {
		return nil
	}
	if had == len(s.message) && n > 0 {
		s.message = append(s.message, make([]byte, min(had, s.size-had))...)
	}
	return s.message[had:min(len(s.message), had+n)]
}

// reply is what the headers of an answer say, first and last together.
type reply struct {
	http    string
	content string
	status  string
	message string
}

// header takes a list of headers. last says that the stream ends with it.
func (s *stream) header(list []Field, last bool) (refused error) {
	if s.answered && !last {
		return broken("headers in the middle of the answer")
	}
	var trailer []Field
	had := s.answered
	for _, f := range list {
		switch f.Name {
		case ":status":
			s.reply.http = f.Value
		case "content-type":
			s.reply.content = f.Value
		case "grpc-status":
			s.reply.status = f.Value
		case "grpc-message":
			s.reply.message = unescape(f.Value)
		default:
			if last {
				trailer = append(trailer, f)
			}
		}
	}
	if !had && !last && len(s.reply.http) == 3 && s.reply.http[0] == '1' {
		s.reply = reply{}
		return nil
	}
	s.answered = true
	if last {
		s.trailer = trailer
		return s.verdict()
	}
	return s.notGRPC()
}

// notGRPC looks at the first headers.
func (s *stream) notGRPC() error {
	code, err := strconv.Atoi(s.reply.http)
	switch {
	case err != nil || len(s.reply.http) != 3:
		return broken("the answer has no HTTP status")
	case code != 200:
		return &Status{Code: fromHTTP(code), Message: "h2: HTTP status " + s.reply.http + " instead of a gRPC answer", HTTP: code}
	}
	if rest, ok := strings.CutPrefix(s.reply.content, "application/grpc"); !ok || rest != "" && rest[0] != '+' && rest[0] != ';' {
		return &Status{Code: 2, Message: "h2: content type " + strconv.Quote(s.reply.content) + " instead of application/grpc", HTTP: code}
	}
	return nil
}

// verdict is how the call went, when all has come.
func (s *stream) verdict() error {
	if s.reply.status == "" {
		if err := s.notGRPC(); err != nil {
			return err
		}
		return broken("the answer has no grpc-status")
	}
	code, err := strconv.ParseUint(s.reply.status, 10, 32)
	switch {
	case err != nil:
		return broken("grpc-status is %.20q", s.reply.status)
	case code != 0:
		s.message = nil
		return &Status{Code: uint32(code), Message: s.reply.message}
	case s.had < prefixSize || s.had-prefixSize < s.size:
		return broken("the answer ended well after %d of %d bytes of its message", s.had, prefixSize+s.size)
	}
	return nil
}
