package h2

import "io"

// readBuffer takes an answer of the usual size in one piece, and four frames of what servers send.
const readBuffer = 1 << 16

// source reads a connection. Only the reader uses it.
type source struct {
	from io.Reader
	buf  []byte
	i, n int // what is read and not taken: buf[i:n]
}

// room is where the next read of what is needed goes.
func (s *source) room() []byte {
	if s.i > 0 {
		s.n = copy(s.buf, s.buf[s.i:s.n])
		s.i = 0
	}
	return s.buf[s.n:]
}

// grow gives the buffer n bytes, if it has fewer.
func (s *source) grow(n int) {
	if len(s.buf) < n {
		larger := make([]byte, n)
		s.n = copy(larger, s.buf[s.i:s.n])
		s.buf, s.i = larger, 0
	}
}

// give moves what is there into b, and says how much.
func (s *source) give(b []byte) int {
	n := copy(b, s.buf[s.i:s.n])
	s.i += n
	return n
}

// peek gives the next n bytes, which may be at most as many as the buffer has.
func (s *source) peek(n int) ([]byte, error) {
	if s.n-s.i < n {
		if s.i > 0 {
			s.n = copy(s.buf, s.buf[s.i:s.n])
			s.i = 0
		}
		got, err := io.ReadAtLeast(s.from, s.buf[s.n:], n-s.n)
		s.n += got
		if err != nil {
			return nil, err
		}
	}
	return s.buf[s.i : s.i+n], nil
}

// take is peek that goes on.
func (s *source) take(n int) ([]byte, error) {
	b, err := s.peek(n)
	if err == nil {
		s.i += n
	}
	return b, err
}

// fill reads len(b) bytes; what is long goes into b straight from the connection.
func (s *source) fill(b []byte) error {
	for {
		n := copy(b, s.buf[s.i:s.n])
		s.i += n
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		s.i, s.n = 0, 0
		if len(b) >= len(s.buf)/2 {
			_, err := io.ReadFull(s.from, b)
			return err
		}
		got, err := io.ReadAtLeast(s.from, s.buf, len(b))
		if s.n = got; err != nil {
			return err
		}
	}
}

// skip throws n bytes away.
func (s *source) skip(n int) error {
	for n > 0 {
		part := min(n, len(s.buf))
		if _, err := s.take(part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
