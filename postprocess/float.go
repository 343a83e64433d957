package postprocess

import (
	"math"
	"strconv"
)

// appendFloat writes the shortest decimal, in the form that encoding/json (and ECMAScript) gives it; null for NaN and Inf.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if bits == 32 {
		v = float64(float32(v))
		if out, ok := appendShort(dst, float32(v)); ok {
			return out
		}
	}
	if !finite(v) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 {
		if bits == 64 && (a < 1e-6 || a >= 1e21) || bits == 32 && (float32(a) < 1e-6 || float32(a) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, v, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 is written e-9
		dst = dst[:n-1]
	}
	return dst
}

// appendShort writes the float32 of everyday size, 2^-9 up to 2^22, as strconv does and three times as fast; false for others.
//
// v*10^k and half a unit in the last place times 10^k have at most 24+29 bits for k <= 12, so that both are exact in float64:
// k decimals are enough if the nearest whole number to v*10^k is nearer than that half unit. The smallest such k is the
// shortest decimal. Powers of two, whose neighbour below is nearer, and exact ties are left to strconv.
func appendShort(dst []byte, v float32) ([]byte, bool) {
	b := math.Float32bits(v)
	exponent := int(b>>23) - 127 // a sign bit makes it too large
	if exponent < -9 || exponent >= 22 || b&(1<<23-1) == 0 {
		return dst, false
	}
	half := math.Float64frombits(uint64(exponent-24+1023) << 52)
	x := float64(v)
	// With this many decimals, the distance between two is below one unit in the last place: log10(2) is 0.30103.
	k := max(((23-exponent)*30103+99999)/100000, 0)
	digits, found := uint64(0), -1
	for ; k >= 0; k-- {
		power := pow10(k)
		scaled := x * power
		whole := uint64(scaled + 0.5)
		distance, reach := math.Abs(scaled-float64(whole)), half*power
		if distance == reach || distance == 0.5 {
			return dst, false
		}
		if distance > reach {
			break
		}
		digits, found = whole, k
		if distance == 0 { // only zeros can be cut off now
			for found > 0 && digits%10 == 0 {
				digits, found = digits/10, found-1
			}
			break
		}
	}
	if found < 0 {
		return dst, false
	}
	return appendFixed(dst, digits, found), true
}

// pow10 is 10^k for 0 <= k <= 12, exactly.
func pow10(k int) float64 {
	return [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}[k]
}

// appendFixed writes n / 10^decimals.
func appendFixed(dst []byte, n uint64, decimals int) []byte {
	var text [24]byte
	at := len(text)
	for i := 0; n > 0 || i <= decimals; i++ {
		if i == decimals && decimals > 0 {
			at--
			text[at] = '.'
		}
		at--
		text[at] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, text[at:]...)
}
