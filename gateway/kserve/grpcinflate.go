package kserve

import (
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// inflate reads what packed bytes inflate to. Its memory is that of all bodies while it does, and a message that swells as no tensor does is refused as soon as that
// is seen.
func (s *callStream) inflate(r io.Reader, packed int) (*buffer, error) {
	most := min(int64(s.limit), max(freeRatio, mostRatio*int64(packed)))
	size := min(firstChunk, most+1)
	free, err := s.Bytes(s.ctx, size)
	if err != nil {
		return nil, s.refusal(err)
	}
	paid := []func(){free}
	defer func() {
		for _, free := range paid {
			free()
		}
	}()
	out, n := s.buffers.get(int(size)), 0
	for {
		m, err := r.Read(out.data[n:size])
		n += m
		switch {
		case int64(n) > most && most < int64(s.limit):
			out.Release()
			return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message inflates to more than %d times its size", mostRatio)
		case int64(n) > most:
			out.Release()
			return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message after decompression larger than max %d", s.limit)
		case errors.Is(err, io.EOF):
			out.data = out.data[:n]
			return out, nil
		case err != nil:
			out.Release()
			return nil, status.Errorf(codes.Internal, "grpc: failed to decompress the received message: %v", err)
		case int64(n) < size:
			continue
		}
		more := min(2*size, most+1) - size
		free, err := s.Bytes(s.ctx, more)
		if err != nil {
			out.Release()
			return nil, s.refusal(err)
		}
		paid = append(paid, free)
		size += more
		larger := s.buffers.get(int(size))
		copy(larger.data, out.data[:n])
		out.Release()
		out = larger
	}
}

// refusal is a failure as a status.
func (s *callStream) refusal(err error) error {
	st, trailer := s.status(err)
	s.SetTrailer(trailer)
	return st.Err()
}
