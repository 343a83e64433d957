package kserve

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"triton-gateway/internal/fault"
)

const (
	// A compressed body may be so many times smaller than its content; a deflate stream of zeros gets to 1030. Small contents are free of it.
	mostRatio = 200
	freeRatio = 16 << 20
)

// bodyEncoding says how a request's body is compressed: "", gzip or deflate. The error is Unsupported.
func bodyEncoding(h http.Header) (string, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return "", nil
	}
	switch e := strings.ToLower(strings.TrimSpace(values[0])); {
	case len(values) > 1:
	case e == "", e == "identity":
		return "", nil
	case e == "gzip", e == "deflate":
		return e, nil
	}
	return "", fault.New(fault.Unsupported, "unsupported_media_type", "Unsupported compression type %s; send gzip, deflate or no Content-Encoding", clipped([]byte(values[0]))).
		At("header.Content-Encoding", "unsupported")
}

// inflater reads a gzip or zlib stream, whichever it is, whatever the header said, as Triton does. It is used again.
type inflater struct {
	in    io.Reader
	taken int64 // compressed bytes
	given int64 // inflated bytes
	limit int64
	plain *bufio.Reader
	gzip  *gzip.Reader
	zlib  io.ReadCloser
	out   io.Reader // the one of the two in use; nil before the first bytes
}

// inflaters are kept for later use: one takes 40 KiB.
type inflaters struct{ pool sync.Pool }

func (p *inflaters) get(in io.Reader, limit int64) *inflater {
	f, ok := p.pool.Get().(*inflater)
	if !ok {
		f = &inflater{plain: bufio.NewReader(nil)}
	}
	f.in, f.limit, f.taken, f.given, f.out = in, limit, 0, 0, nil
	f.plain.Reset(compressedBytes{f})
	return f
}

func (p *inflaters) put(f *inflater) {
	f.in = nil
	p.pool.Put(f)
}

// compressedBytes counts what is read of the compressed stream.
type compressedBytes struct{ *inflater }

func (c compressedBytes) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.taken += int64(n)
	return n, err
}

// Read gives inflated bytes. Errors: Invalid for a broken stream, TooLarge beyond the limit and for a stream that swells beyond mostRatio.
func (f *inflater) Read(b []byte) (n int, err error) {
	if f.out == nil {
		err = f.begin()
	}
	if err == nil {
		n, err = f.out.Read(b)
		f.given += int64(n)
	}
	switch {
	case f.given > f.limit:
		return n, fault.New(fault.TooLarge, "body_too_large", "the body inflates to more than %d bytes; send less, or raise limits.body", f.limit).At("body", "too large")
	case f.given > freeRatio && f.given/mostRatio > f.taken:
		return n, fault.New(fault.TooLarge, "body_too_large", "the body inflates to more than %d times its size; send it as it is, or with less compression", mostRatio).
			At("body", "swells too much")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum),
		errors.Is(err, zlib.ErrDictionary), corrupt(err):
		return n, fault.New(fault.Invalid, "invalid_request", "the body is not what Content-Encoding says: its stream is broken after %d bytes", f.taken).
			At("body", "not gzip or deflate").Wrap(err)
	}
	return n, err
}

func corrupt(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "flate: corrupt")
}

// begin looks at the first bytes.
func (f *inflater) begin() error {
	head, err := f.plain.Peek(2)
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case head[0] == 0x1f && head[1] == 0x8b && f.gzip != nil:
		err = f.gzip.Reset(f.plain)
		f.out = f.gzip
	case head[0] == 0x1f && head[1] == 0x8b:
		f.gzip, err = gzip.NewReader(f.plain)
		f.out = f.gzip
	case f.zlib != nil:
		err = f.zlib.(zlib.Resetter).Reset(f.plain, nil)
		f.out = f.zlib
	default:
		f.zlib, err = zlib.NewReader(f.plain)
		f.out = f.zlib
	}
	if err != nil { // the readers are not to be used after that
		f.out, f.gzip, f.zlib = nil, nil, nil
	}
	return err
}
