package preprocess

// vector is an axis in the form of rowAVX2: for each output a run of blocks of 4 pixels, in full, so that there is nothing to decide inside.
// A coefficient has 23 bits with its sign and a multiplication takes 16, so each one is split into its low 11 bits and the rest; sums of
// 32 bits wrap around, which is right as long as the result fits, and fits has made sure of that.
type vector struct {
	blocks  int      // of each output
	offsets []int32  // of each output's first pixel, in bytes
	rest    []window // the outputs after those
	coefs   []int16  // of each block 16 high parts (c0 c1 c0 c1 c0 c1 0 0, c2 c3 c2 c3 c2 c3 0 0), then 16 low ones
}

// splitBits is how many low bits go by themselves.
const splitBits = 11

// newVector is for lines of 3 channels. It gives nil where sums might not fit.
func newVector(a *axis) *vector {
	taps := 0
	for _, w := range a.windows {
		taps = max(taps, len(w.coefs))
		if !fits(w) {
			return nil
		}
	}
	v := &vector{blocks: (taps + 3) / 4}
	n := len(a.windows) // a block reads 4 bytes behind its 12, so the outputs near the end of the line are left to rest
	for n > 0 && 3*a.windows[n-1].from+12*v.blocks+4 > 3*(a.to-a.from) {
		n--
	}
	v.rest = a.windows[n:]
	v.offsets = make([]int32, n)
	v.coefs = make([]int16, 32*v.blocks*n)
	for i, w := range a.windows[:n] {
		v.offsets[i] = int32(3 * w.from)
		run := v.coefs[32*v.blocks*i:][:32*v.blocks]
		for tap, c := range w.coefs {
			at := tap/4*32 + tap%4/2*8 + tap%2
			h, l := int16(c>>splitBits), int16(c&(1<<splitBits-1))
			run[at], run[at+2], run[at+4] = h, h, h
			run[at+16], run[at+18], run[at+20] = l, l, l
		}
	}
	return v
}

// row is axis.row for 3 channels.
func (v *vector) row(dst, src []byte) {
	n := len(v.offsets)
	if n > 0 {
		_, _ = dst[3*n-1], src[int(v.offsets[n-1])+12*v.blocks+3] // offsets go up, so this is the end of all that is read
		rowAVX2(&dst[0], &src[0], &v.offsets[0], &v.coefs[0], n, v.blocks)
	}
	plain3(dst[3*n:], src, v.rest)
}
