package kserve

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// jsonNumber is a number as it stands in the text: sign, digits without leading zeros, and a power of ten.
type jsonNumber struct {
	digits   uint64 // the first 19 significant digits; see dropped. Of a special one, the bits of the float64
	exponent int    // of ten, for digits
	from     int    // where the text begins
	end      int    // one after its last byte; equal to from if no number is there
	negative bool
	fraction bool // it has a dot or an exponent
	dropped  bool // there were more digits than fit
	special  bool // NaN or an infinity
	bad      bool // it begins as a number and goes on as none
}

const (
	fullDigits = 19      // digits that fit in a uint64 whatever they are
	hugePower  = 1 << 20 // an exponent beyond it makes no difference
)

// scan reads the number at r.i into n, without moving on.
func (r *jsonReader) scan(n *jsonNumber) {
	b, i := r.b, r.i
	*n = jsonNumber{from: i, end: i}
	if i < len(b) && b[i] == '-' {
		n.negative = true
		i++
	}
	if i >= len(b) || b[i]-'0' > 9 {
		r.scanWord(n, i)
		return
	}
	whole := i
	i, count := n.take(b, i, 0)
	if b[whole] == '0' && i-whole > 1 { // JSON has no leading zeros
		n.end, n.bad = i, true
		return
	}
	if b[whole] == '0' {
		count = 0
	}
	n.exponent = max(i-whole-fullDigits, 0)
	if i < len(b) && b[i] == '.' {
		i++
		dot := i
		for count == 0 && i < len(b) && b[i] == '0' { // before the first other digit, zeros count for the exponent alone
			i++
		}
		zeros, before := i-dot, count
		i, count = n.take(b, i, count)
		n.exponent -= zeros + count - before
		n.fraction = true
		if i == dot {
			n.end, n.bad = i, true
			return
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		n.power(b, i+1)
		return
	}
	n.end = i
}

// take reads digits, eight at a time where it can, and keeps the first 19.
func (n *jsonNumber) take(b []byte, i, count int) (int, int) {
	for count <= fullDigits-8 && i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		// Every byte is a digit if its high half is 3, and is so still when 6 is added.
		if w&0xF0F0F0F0_F0F0F0F0|((w+0x06060606_06060606)&0xF0F0F0F0_F0F0F0F0)>>4 != 0x33333333_33333333 {
			break
		}
		w = (w & 0x0F0F0F0F_0F0F0F0F) * (10<<8 + 1) >> 8      // four numbers of two digits
		w = (w & 0x00FF00FF_00FF00FF) * (100<<16 + 1) >> 16   // two of four
		w = (w & 0x0000FFFF_0000FFFF) * (10000<<32 + 1) >> 32 // one of eight
		n.digits = n.digits*1e8 + w
		count += 8
		i += 8
	}
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if count < fullDigits {
			n.digits = n.digits*10 + uint64(b[i]-'0')
			count++
		} else {
			n.dropped = true
		}
	}
	return i, count
}

// power reads what follows an e.
func (n *jsonNumber) power(b []byte, i int) {
	n.fraction = true
	minus := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		minus = b[i] == '-'
		i++
	}
	from, e := i, 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		e = min(e*10+int(b[i]-'0'), hugePower)
	}
	n.end, n.bad = i, i == from
	if minus {
		e = -e
	}
	n.exponent += e
}

// scanWord reads NaN, Inf and Infinity.
func (r *jsonReader) scanWord(n *jsonNumber, i int) {
	for _, w := range [...]struct {
		text  string
		value float64
	}{{"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"Inf", math.Inf(1)}} {
		if len(r.b)-i >= len(w.text) && string(r.b[i:i+len(w.text)]) == w.text {
			n.special, n.digits, n.end = true, math.Float64bits(w.value), i+len(w.text)
			if n.negative {
				n.digits = math.Float64bits(-w.value)
			}
			return
		}
	}
	n.bad = n.negative
	if n.negative {
		n.end = i
	}
}

// unsigned gives a whole number of 0 to most.
func (n *jsonNumber) unsigned(text []byte, most uint64) (uint64, bool) {
	switch {
	case n.bad || n.special || n.fraction || n.negative && (n.digits != 0 || n.dropped):
		return 0, false
	case n.dropped: // 20 digits may fit
		v, err := strconv.ParseUint(string(text), 10, 64)
		return v, err == nil && v <= most
	}
	return n.digits, n.digits <= most
}

// signed gives a whole number of least to most.
func (n *jsonNumber) signed(least, most int64) (int64, bool) {
	if n.bad || n.special || n.fraction || n.dropped {
		return 0, false
	}
	if n.negative {
		if n.digits > 1<<63 {
			return 0, false
		}
		v := int64(-n.digits) // in two's complement the smallest int64 is right too
		return v, v >= least
	}
	return int64(n.digits), n.digits <= uint64(most)
}

// double gives the nearest float64; ok is false where it would be infinite.
func (n *jsonNumber) double(text []byte) (v float64, ok bool) {
	const exact, powers = 1 << 53, 22
	switch {
	case n.bad:
		return 0, false
	case n.special:
		return math.Float64frombits(n.digits), true
	case n.digits == 0 && !n.dropped:
		v = 0
	case n.dropped || n.digits > exact || n.exponent > powers || n.exponent < -powers:
		// What is left is rare, or has more than 15 digits.
		v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
		return v, err == nil
	case n.exponent < 0:
		v = float64(n.digits) / pow10(-n.exponent)
	default:
		v = float64(n.digits) * pow10(n.exponent)
	}
	if n.negative {
		v = -v
	}
	return v, true
}

// single gives the float32 nearest to the nearest float64, as Triton rounds; ok is false where it would be infinite.
//
// Most texts are float64s printed with 17 digits, whose value takes exact arithmetic with wide numbers. It is not needed here: digits that fit
// in 64 bits, times or divided by an exact power of ten, are within two units of the last place of the float64, and unless those two units
// reach the middle between two float32s, the float32 is the same.
func (n *jsonNumber) single(text []byte) (float32, bool) {
	const powers, half, low = 22, 1 << 28, 1<<29 - 1
	if !n.bad && !n.special && !n.dropped && n.digits != 0 && n.exponent <= 0 && n.exponent >= -powers {
		v := float64(n.digits) / pow10(-n.exponent)
		rest := int64(math.Float64bits(v) & low)
		if (rest < half-4 || rest > half+4) && v >= 1.2e-38 { // digits below 2^64 cannot reach the largest float32
			if n.negative {
				v = -v
			}
			return float32(v), true
		}
	}
	v, ok := n.double(text)
	if !ok || !n.special && math.IsInf(float64(float32(v)), 0) {
		return 0, false
	}
	return float32(v), true
}

// pow10 gives 10^e for e of 0 to 22, which a float64 holds exactly.
func pow10(e int) float64 {
	powers := [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
	return powers[e]
}
