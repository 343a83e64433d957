//go:build cgo && gocv_specific_modules

package opencv_test

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// drawn is a recipe for a baseline JPEG of random coefficients: any size, sampling, Huffman and quantisation tables, which encoders of
// pictures do not give at will.
type drawn struct {
	width, height int
	components    int // 1 or 3
	h, v          int // of the first component
	restart       int // MCUs between restart markers; 0: none
	step          int // largest step of quantisation
	loud          int // how large a dequantised AC coefficient may be
	seed          uint64
	ones          bool // a table has a code of ones only, which T.81 forbids
}

var zigzag = func() (order [64]int) {
	for k, x, y := 0, 0, 0; k < 64; k++ {
		order[k] = 8*y + x
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y < 7 && x == 0:
			y++
		case up && y == 0, !up && y == 7:
			x++
		case up:
			x, y = x+1, y-1
		default:
			x, y = x-1, y+1
		}
	}
	return
}()

// sign is a Huffman code's place in the stream: symbol, or a marker where table is negative; then more bits.
type sign struct{ table, symbol, value, size int }

func amplitude(v int) (value, size int) {
	size = bits.Len(uint(max(v, -v)))
	if v < 0 {
		v += 1<<size - 1
	}
	return v, size
}

func (d drawn) encode() []byte {
	random := rand.New(rand.NewPCG(d.seed, 7))
	quant := [2][64]int{}
	for t := range quant {
		for i := range quant[t] {
			quant[t][i] = 1 + random.IntN(d.step)
		}
	}
	var signs []sign
	last := make([]int, d.components)
	block := func(c int) {
		t := min(c, 1)
		goal := random.IntN(2041) - 1020
		if random.IntN(2) == 0 {
			goal = last[c]*quant[t][0] + random.IntN(81) - 40
		}
		dc := max(min(goal, 1020), -1020) / quant[t][0]
		value, size := amplitude(dc - last[c])
		last[c] = dc
		signs = append(signs, sign{t, size, value, size})
		run, end, density := 0, random.IntN(65), 1+random.IntN(20)
		if random.IntN(4) == 0 {
			end = 64
		}
		for k := 1; k < 64; k++ {
			most := d.loud / (1 + k/2) / quant[t][zigzag[k]]
			v := random.IntN(2*most+1) - most
			if k >= end || v == 0 || random.IntN(density) > 2 && k < 63 {
				run++
				continue
			}
			for ; run > 15; run -= 16 {
				signs = append(signs, sign{2 + t, 0xF0, 0, 0})
			}
			value, size := amplitude(v)
			signs = append(signs, sign{2 + t, run<<4 | size, value, size})
			run = 0
		}
		if run > 0 {
			signs = append(signs, sign{2 + t, 0, 0, 0})
		}
	}
	h, v := d.h, d.v
	if d.components == 1 {
		h, v = 1, 1
	}
	mcus := (d.width + 8*h - 1) / (8 * h) * ((d.height + 8*v - 1) / (8 * v))
	for m := range mcus {
		if d.restart > 0 && m > 0 && m%d.restart == 0 {
			signs = append(signs, sign{-1, 0xD0 + (m/d.restart-1)%8, 0, 0})
			clear(last)
		}
		for range h * v {
			block(0)
		}
		for c := 1; c < d.components; c++ {
			block(c)
		}
	}
	return d.write(random, quant, signs)
}

func segment(b *bytes.Buffer, marker byte, body ...byte) {
	b.Write([]byte{0xFF, marker})
	_ = binary.Write(b, binary.BigEndian, uint16(len(body)+2))
	b.Write(body)
}

func (d drawn) write(random *rand.Rand, quant [2][64]int, signs []sign) []byte {
	b := bytes.NewBuffer([]byte{0xFF, 0xD8})
	for t := range quant {
		body := []byte{byte(t)}
		for _, at := range zigzag {
			body = append(body, byte(quant[t][at]))
		}
		segment(b, 0xDB, body...)
	}
	frame := []byte{8, byte(d.height >> 8), byte(d.height), byte(d.width >> 8), byte(d.width), byte(d.components), 1, byte(d.h<<4 | d.v), 0}
	scan := []byte{byte(d.components), 1, 0}
	for c := 1; c < d.components; c++ {
		frame, scan = append(frame, byte(c+1), 0x11, 1), append(scan, byte(c+1), 0x11)
	}
	segment(b, 0xC0, frame...)
	var codes, lengths [4][256]int
	for t := range codes {
		counts, symbols := huffman(random, t, signs)
		if d.ones && t == 1 {
			clear(counts[:])
			for i := range symbols {
				counts[min(i, len(symbols)-2)]++
			}
		}
		code, at := 0, 0
		for n, count := range counts {
			for range count {
				codes[t][symbols[at]], lengths[t][symbols[at]] = code, n+1
				code, at = code+1, at+1
			}
			code <<= 1
		}
		segment(b, 0xC4, append(append([]byte{byte(t&1 | t>>1<<4)}, counts[:]...), symbols...)...)
	}
	if d.restart > 0 {
		segment(b, 0xDD, byte(d.restart>>8), byte(d.restart))
	}
	segment(b, 0xDA, append(scan, 0, 63, 0)...)
	pool, n := uint64(0), 0
	put := func(v, size int) {
		pool, n = pool<<size|uint64(v), n+size
		for ; n >= 8; n -= 8 {
			b.WriteByte(byte(pool >> (n - 8)))
			if byte(pool>>(n-8)) == 0xFF {
				b.WriteByte(0)
			}
		}
	}
	for _, s := range append(signs, sign{-1, 0xD9, 0, 0}) {
		if s.table < 0 {
			put(1<<(-n&7)-1, -n&7)
			b.Write([]byte{0xFF, byte(s.symbol)})
			continue
		}
		put(codes[s.table][s.symbol], lengths[s.table][s.symbol])
		put(s.value, s.size)
	}
	return b.Bytes()
}

// huffman gives a random table for the symbols that occur, frequent ones first: 1 to 16 bits long, none of ones only.
func huffman(random *rand.Rand, table int, signs []sign) (counts [16]byte, symbols []byte) {
	var often [256]int
	often[0]++ // a table is never empty
	for _, s := range signs {
		if s.table == table {
			often[s.symbol]++
		}
	}
	for s := range often {
		if often[s] > 0 {
			symbols = append(symbols, byte(s))
		}
	}
	slices.SortFunc(symbols, func(a, b byte) int { return often[b] - often[a] })
	left, free, greed := len(symbols), 1, 1+random.IntN(3)
	for n := range counts {
		free *= 2
		take := min(left, free*greed/4)
		if n == 15 {
			take = left
		}
		for (free-take)<<(15-n) < left-take+1 { // the rest must fit, and one code stay free
			take--
		}
		counts[n] = byte(take)
		left, free = left-take, free-take
	}
	return counts, symbols
}
