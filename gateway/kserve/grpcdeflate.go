package kserve

import (
	"compress/zlib"
	"io"
	"sync"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // takes gzip
)

// deflated takes gRPC's encoding "deflate", which Triton's clients offer and grpc-go lacks. grpc keeps one list of encodings for the whole process, without a
// lock, and asks to fill it before main begins: a variable does that where others have an init function.
var _ = registered(&deflate{})

func registered(d *deflate) *deflate {
	encoding.RegisterCompressor(d)
	return d
}

// deflate is RFC 1950 (zlib), as in HTTP. How much a message may inflate to is bounded by grpc, which reads no more than MaxRecvMsgSize.
type deflate struct{ writers, readers sync.Pool }

// Name is the encoding's name in the header grpc-encoding.
func (*deflate) Name() string { return "deflate" }

// Compress gives what compresses into w until it is closed.
func (d *deflate) Compress(w io.Writer) (io.WriteCloser, error) {
	if got, ok := d.writers.Get().(*deflateWriter); ok {
		got.Reset(w)
		return got, nil
	}
	return &deflateWriter{zlib.NewWriter(w), d}, nil
}

type deflateWriter struct {
	*zlib.Writer
	home *deflate
}

// Close writes the rest. The writer is used again.
func (w *deflateWriter) Close() error {
	defer w.home.writers.Put(w)
	return w.Writer.Close()
}

// Decompress gives what is in r.
func (d *deflate) Decompress(r io.Reader) (io.Reader, error) {
	if got, ok := d.readers.Get().(*deflateReader); ok {
		if err := got.z.(zlib.Resetter).Reset(r, nil); err != nil {
			d.readers.Put(got)
			return nil, err
		}
		return got, nil
	}
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &deflateReader{z, d}, nil
}

type deflateReader struct {
	z    io.ReadCloser
	home *deflate
}

// Read reads inflated bytes.
func (r *deflateReader) Read(b []byte) (int, error) { return r.z.Read(b) }

// Close lets the reader be used again: grpc calls it when it has read what it wants.
func (r *deflateReader) Close() error {
	r.home.readers.Put(r)
	return nil
}
