package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// codecVersion is the first byte of what Marshal writes.
const codecVersion = 1

// maxRank bounds the dimensions that Unmarshal reads.
const maxRank = 16

// Marshal writes a frame and tensors as bytes for storage. Layout, all little-endian: version byte; the frame's four integers as
// int64 and four factors as float64; uint32 count; per tensor: uint16 name length, name, dtype byte, rank byte, dimensions as
// int64, uint64 data length, data.
func Marshal(f Frame, list []Tensor) []byte {
	size := 1 + 8*8 + 4
	for i := range list {
		size += 2 + len(list[i].Name) + 2 + 8*len(list[i].Shape) + 8 + len(list[i].Data)
	}
	b := append(make([]byte, 0, size), codecVersion)
	le := binary.LittleEndian
	for _, v := range []int{f.SourceWidth, f.SourceHeight, f.Width, f.Height} {
		b = le.AppendUint64(b, uint64(v))
	}
	for _, v := range []float64{f.ScaleX, f.ScaleY, f.OffsetX, f.OffsetY} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	b = le.AppendUint32(b, uint32(len(list)))
	for i := range list {
		t := &list[i]
		b = le.AppendUint16(b, uint16(len(t.Name)))
		b = append(b, t.Name...)
		b = append(b, byte(t.DType), byte(len(t.Shape)))
		for _, d := range t.Shape {
			b = le.AppendUint64(b, uint64(d))
		}
		b = le.AppendUint64(b, uint64(len(t.Data)))
		b = append(b, t.Data...)
	}
	return b
}

var errCut = errors.New("tensor: stored bytes are cut")

// reader takes values off the front of stored bytes; after the first shortage everything is zero and short is set.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n uint64) []byte {
	if r.short || n > uint64(len(r.rest)) {
		r.short = true
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Unmarshal reads what Marshal wrote. The tensors share data's memory. It fails on anything that Marshal cannot have written.
func Unmarshal(data []byte) (Frame, []Tensor, error) {
	r := &reader{rest: data}
	if v := r.u8(); v != codecVersion {
		return Frame{}, nil, fmt.Errorf("tensor: stored bytes have version %d, want %d", v, codecVersion)
	}
	var f Frame
	for _, p := range []*int{&f.SourceWidth, &f.SourceHeight, &f.Width, &f.Height} {
		*p = int(r.u64())
	}
	for _, p := range []*float64{&f.ScaleX, &f.ScaleY, &f.OffsetX, &f.OffsetY} {
		*p = math.Float64frombits(r.u64())
	}
	var list []Tensor
	for n := r.u32(); n > 0 && !r.short; n-- {
		t := Tensor{Name: string(r.take(uint64(r.u16()))), DType: DType(r.u8())}
		rank := r.u8()
		if rank > maxRank {
			return Frame{}, nil, fmt.Errorf("tensor: stored tensor %q has %d dimensions", t.Name, rank)
		}
		t.Shape = make([]int64, rank)
		for i := range t.Shape {
			t.Shape[i] = int64(r.u64())
		}
		t.Data = r.take(r.u64())
		if r.short {
			break
		}
		if err := t.Validate(); err != nil {
			return Frame{}, nil, err
		}
		list = append(list, t)
	}
	if r.short || len(r.rest) != 0 {
		return Frame{}, nil, errCut
	}
	return f, list, nil
}
