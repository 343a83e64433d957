package preprocess

import (
	"encoding/binary"
	"fmt"
	"slices"

	"triton-gateway/tensor"
)

// Pixels gives back the pixels that a tensor made by Image was filled with: RGB or gray, in the tensor's size and with its padding. Normalisation is
// undone by the table that did it, so each pixel is exact; where several values became the same number, as a very large std can do, it is the
// lowest of them. Colours that the model takes as BGR are put right.
//
// It fails for a tensor that Image of this Preprocessor cannot have made.
func (p *Preprocessor) Pixels(t *tensor.Tensor) (Pixels, error) {
	l := p.layout
	if l == nil {
		return Pixels{}, fmt.Errorf("preprocess: this model takes no picture")
	}
	s, ok := l.sizeOf(t.Shape)
	if !ok || t.DType != l.dtype || t.Validate() != nil {
		return Pixels{}, fmt.Errorf("preprocess: a tensor of %s %v was not made of a picture for this model", t.DType, t.Shape)
	}
	px := Pixels{Width: s.width, Height: s.height, Channels: l.channels, Data: make([]byte, s.width*s.height*l.channels)}
	for c := range l.channels {
		back := l.inverse(c)
		at, step := c*s.width*s.height, 1
		if l.last {
			at, step = c, l.channels
		}
		for to := l.order[c]; to < len(px.Data); to += l.channels {
			v, ok := back[l.element(t.Data, at)]
			if !ok {
				return Pixels{}, fmt.Errorf("preprocess: element %d of the tensor is no value of a pixel", at)
			}
			px.Data[to] = v
			at += step
		}
	}
	return px, nil
}

// sizeOf reads a picture's size out of a shape as the method shape makes it.
func (l *layout) sizeOf(shape []int64) (size, bool) {
	inner := shape
	if l.batch && len(inner) > 0 {
		inner = inner[1:]
	}
	if len(inner) != 3 {
		return size{}, false
	}
	s := size{width: int(inner[2]), height: int(inner[1])}
	if l.last {
		s = size{width: int(inner[1]), height: int(inner[0])}
	}
	return s, slices.Equal(shape, l.shape(s))
}

// inverse gives for the bits of an element of channel c the pixel value that became them.
func (l *layout) inverse(c int) map[uint32]byte {
	back := make(map[uint32]byte, 256)
	for v := 255; v >= 0; v-- {
		switch l.dtype {
		case tensor.FP32:
			back[l.single[c][v]] = byte(v)
		case tensor.FP16:
			back[uint32(l.short[c][v])] = byte(v)
		default:
			back[uint32(v)] = byte(v)
		}
	}
	return back
}

// element gives the bits of element i.
func (l *layout) element(data []byte, i int) uint32 {
	switch l.dtype {
	case tensor.FP32:
		return binary.LittleEndian.Uint32(data[4*i:])
	case tensor.FP16:
		return uint32(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return uint32(data[i])
}
