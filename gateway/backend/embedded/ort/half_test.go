package ort

import (
	"encoding/binary"
	"math"
	"testing"

	"triton-gateway/tensor"
)

// fp16 is the value of an FP16 by its definition.
func fp16(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(h>>10&31), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1+fraction/1024, exponent-15)
}

func TestFP16RoundTrip(t *testing.T) {
	for h := range 1 << 16 {
		v := fp16(uint16(h))
		got := toFP16(math.Float32bits(float32(v)))
		if v != v {
			if w := fp16(got); w == w {
				t.Fatalf("%04x is NaN, came back as %04x", h, got)
			}
			continue
		}
		if got != uint16(h) {
			t.Fatalf("%04x = %g came back as %04x", h, v, got)
		}
	}
}

// TestFP16Rounds looks at both sides of every midpoint between neighbours.
func TestFP16Rounds(t *testing.T) {
	for h := uint16(0); h < 0x7bff; h++ {
		middle := float32((fp16(h) + fp16(h+1)) / 2) // exact: one more bit than FP16 has
		bits := math.Float32bits(middle)
		even := h + h&1
		for delta, want := range map[int]uint16{-1: h, 0: even, 1: h + 1} {
			in := uint32(int(bits) + delta)
			if got := toFP16(in); got != want {
				t.Fatalf("%g: got %04x, want %04x", math.Float32frombits(in), got, want)
			}
			if got := toFP16(in | 1<<31); got != want|0x8000 {
				t.Fatalf("-%g: got %04x, want %04x", math.Float32frombits(in), got, want|0x8000)
			}
		}
	}
	for in, want := range map[float32]uint16{65519: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, -1e30: 0xfc00, 1e-30: 0, float32(math.Inf(-1)): 0xfc00} {
		if got := toFP16(math.Float32bits(in)); got != want {
			t.Errorf("%g: got %04x, want %04x", in, got, want)
		}
	}
}

func TestBF16(t *testing.T) {
	for in, want := range map[uint32]uint16{0x3f800000: 0x3f80, 0x3f808000: 0x3f80, 0x3f818000: 0x3f82, 0x3f808001: 0x3f81,
		0x7f7fffff: 0x7f80, 0x7f800000: 0x7f80, 0x7f800001: 0x7fc0, 0xff800000: 0xff80, 0x80000000: 0x8000} {
		if got := toBF16(in); got != want {
			t.Errorf("%08x: got %04x, want %04x", in, got, want)
		}
	}
	out := halves([]float32{1, -2}, tensor.BF16)
	if binary.LittleEndian.Uint16(out) != 0x3f80 || binary.LittleEndian.Uint16(out[2:]) != 0xc000 || len(out) != 4 {
		t.Errorf("% x", out)
	}
}
