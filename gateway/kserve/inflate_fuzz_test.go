package kserve

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"triton-gateway/internal/fault"
)

// FuzzInflate reads any bytes as a compressed body: never more than the limit, and the same with readers that have been used before.
func FuzzInflate(f *testing.F) {
	for _, kind := range []string{"gzip", "deflate"} {
		whole := squeezed(f, kind, []byte(goodJSON))
		f.Add(whole)
		f.Add(whole[:len(whole)-3])
		f.Add(append(bytes.Clone(whole), whole...))
		f.Add(squeezed(f, kind, make([]byte, 100<<10)))
	}
	f.Add([]byte{})
	f.Add([]byte{0x1f})
	f.Add([]byte{0x1f, 0x8b, 8, 0xff, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x78, 0xbb, 0, 0, 0, 0})
	const limit = 64 << 10
	var kept inflaters
	read := func(p *inflaters, b []byte) ([]byte, error) {
		in := p.get(bytes.NewReader(b), limit)
		defer p.put(in)
		return io.ReadAll(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(&kept, b)
		again, err2 := read(&inflaters{}, b)
		if !bytes.Equal(got, again) || (err == nil) != (err2 == nil) {
			t.Fatalf("with used readers %d bytes and %v, with new ones %d and %v", len(got), err, len(again), err2)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && fault.KindOf(err) != fault.Invalid && fault.KindOf(err) != fault.TooLarge {
			t.Fatalf("the error is none of the caller's: %v", err)
		}
		if err == nil && len(got) > limit {
			t.Fatalf("%d bytes came out", len(got))
		}
	})
}
